"""The log and the dead letters over a real database, as an operator sees them."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.core.model.delivery import Attempt, Delivery
from router.core.model.message import Content
from router.core.model.retry import Dead, Done
from router.queue.engine import SqlJournal, SqlQueue
from router.queue.ports import Plan, Settlement
from router.samples import read_sample
from tests.web.harness import APP, OPERATOR, Harness, basic, open_harness

Node = dict[str, Any]
ADDRESS = "bob@example.com"


@pytest.fixture
async def harness(tmp_path: Path, database_url: str) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, url=database_url) as harness:
        yield harness


async def accept(harness: Harness, number: int = 0) -> str:
    payload: Node = read_sample("push_chat_one_on_one")
    payload["data"]["copy"] = number
    answer = await harness.client().post("/webhook", content=json.dumps(payload), headers=basic())
    return str(answer.json()["id"])


def uid_of(payload: Node) -> str:
    return str(payload["data"]["to"]["uid"])


async def plan(harness: Harness, id: str) -> None:
    """Plan one delivery of a notification, due now."""
    delivery = Delivery(
        id=f"{id}-1",
        notification=id,
        rule="everything",
        step=0,
        channel="letters",
        address=ADDRESS,
        lane=ADDRESS,
        due_at=0.0,
        expires_at=time.time() + 3600,
        content=Content(title="Ann", body="Hello"),
    )
    done = Plan(
        notification=id,
        decided_at=time.time(),
        state="pending",
        version="v1",
        matched=("everything",),
        deliveries=(delivery,),
    )
    await SqlJournal(harness.site.database).settle([done])


async def end(harness: Harness, id: str, *, dead: bool) -> None:
    """Try the delivery once, to its end."""
    queue, now = SqlQueue(harness.site.database), time.time()
    await queue.claim(now=now, until=now + 60, limit=100)
    attempt = Attempt(
        delivery=f"{id}-1",
        number=1,
        started_at=now,
        ended_at=now + 0.5,
        outcome="rejected" if dead else "delivered",
        status=410 if dead else 200,
        reason="unknown address" if dead else "",
    )
    follows = Dead("unknown address") if dead else Done("letter-1")
    await queue.settle([Settlement(delivery=f"{id}-1", attempt=attempt, next=follows)])


async def dead_letter(harness: Harness, number: int = 0) -> str:
    """Return the id of a delivery that died."""
    id_ = await accept(harness, number)
    await plan(harness, id_)
    await end(harness, id_, dead=True)
    return f"{id_}-1"


async def get(harness: Harness, path: str, status: int = 200) -> Node:
    answer = await harness.client(OPERATOR).get(f"/v1/{path}")
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def post(harness: Harness, path: str, body: object = None, status: int = 200) -> Node:
    content = b"" if body is None else json.dumps(body).encode()
    answer = await harness.client(OPERATOR).post(f"/v1/{path}", content=content)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_an_accepted_notification_is_listed_before_it_is_decided(harness: Harness) -> None:
    before = time.time()
    id_ = await accept(harness)
    (item,) = (await get(harness, "notifications"))["items"]
    assert before <= item["accepted_at"] <= time.time()
    assert (item["id"], item["state"]) == (id_, "accepted")
    assert (item["feed"], item["kind"]) == ("push", "message")
    payload = read_sample("push_chat_one_on_one")
    assert (item["recipient"], item["appId"]) == (uid_of(payload), payload["appId"])
    timeline = await get(harness, f"notifications/{id_}")
    assert (timeline["decided"], timeline["deliveries"]) == (None, [])


async def test_a_timeline_tells_decision_deliveries_attempts_and_end(harness: Harness) -> None:
    id_ = await accept(harness)
    await plan(harness, id_)
    await end(harness, id_, dead=False)
    timeline = await get(harness, f"notifications/{id_}")
    assert timeline["notification"]["state"] == "delivered"
    assert (timeline["decided"]["version"], timeline["decided"]["matched"]) == (
        "v1",
        ["everything"],
    )
    ((delivery, attempts),) = [(d["delivery"], d["attempts"]) for d in timeline["deliveries"]]
    assert (
        delivery.items()
        >= {
            "id": f"{id_}-1",
            "notification": id_,
            "rule": "everything",
            "channel": "letters",
            "address": "b…@example.com",
            "state": "delivered",
            "attempts": 1,
            "handle": "letter-1",
        }.items()
    )
    assert "due_at" in delivery
    assert [(a["number"], a["outcome"], a["status"]) for a in attempts] == [(1, "delivered", 200)]
    assert await get(harness, f"deliveries/{id_}-1") == timeline["deliveries"][0]
    assert ADDRESS not in json.dumps(timeline)


async def test_lists_come_in_parts_newest_first(harness: Harness) -> None:
    ids = [await accept(harness, number) for number in range(5)]
    assert await get(harness, "deliveries") == {"items": [], "next": None}
    assert await get(harness, "dead-letters") == {"items": [], "next": None}
    seen: list[str] = []
    cursor = ""
    while True:
        page = await get(harness, f"notifications?limit=2{cursor}")
        assert 1 <= len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ids[::-1]


async def test_a_cursor_that_no_list_gave_is_refused(harness: Harness) -> None:
    for path in ("notifications", "deliveries", "dead-letters"):
        for cursor in ("x", "%00", "é", "x" * 5000):
            problem = (await get(harness, f"{path}?cursor={cursor}", 400))["problems"][0]
            assert problem["path"] == "?cursor", (path, cursor)


async def test_filters_narrow_a_list(harness: Harness) -> None:
    dead = await dead_letter(harness, 0)
    living = await accept(harness, 1)
    await plan(harness, living)
    (item,) = (await get(harness, "notifications?state=undelivered"))["items"]
    assert f"{item['id']}-1" == dead
    for path, found in (
        (f"notifications?recipient={item['recipient']}&appId={item['appId']}", 2),
        ("notifications?recipient=nobody", 0),
        ("notifications?feed=email", 0),
        ("notifications?kind=message&feed=push", 2),
        (f"notifications?since={time.time() + 5}", 0),
        (f"notifications?until={time.time() + 5}", 2),
        ("deliveries?state=dead", 1),
        ("deliveries?state=waiting&channel=letters&rule=everything", 1),
        ("deliveries?channel=other", 0),
        (f"deliveries?notification={living}", 1),
        ("dead-letters?reason=unknown%20address", 1),
        ("dead-letters?channel=other", 0),
    ):
        assert len((await get(harness, path))["items"]) == found, path


async def test_what_is_not_there_is_not_found(harness: Harness) -> None:
    for path in ("notifications/none", "deliveries/none-1", "dead-letters/none-1"):
        assert (await get(harness, path, 404))["message"] == "not found"
    living = await accept(harness)
    await plan(harness, living)
    assert await get(harness, f"dead-letters/{living}-1", 404)
    assert await post(harness, f"dead-letters/{living}-1/retry", status=404)


async def test_a_dead_letter_is_shown_and_retried(harness: Harness) -> None:
    id_ = await dead_letter(harness)
    letter = await get(harness, f"dead-letters/{id_}")
    assert (await get(harness, "dead-letters"))["items"] == [letter]
    assert (
        letter.items()
        >= {
            "id": id_,
            "state": "dead",
            "reason": "unknown address",
            "channel": "letters",
            "address": "b…@example.com",
        }.items()
    )
    assert await post(harness, f"dead-letters/{id_}/retry") == {"retried": 1}
    assert (await get(harness, "dead-letters"))["items"] == []
    assert (await get(harness, f"deliveries/{id_}"))["delivery"]["state"] == "waiting"
    assert await post(harness, f"dead-letters/{id_}/retry", status=404)


async def test_dead_letters_are_retried_and_dropped_by_ids_or_filter(harness: Harness) -> None:
    ids = [await dead_letter(harness, number) for number in range(5)]
    assert await post(harness, "dead-letters/retry", {"ids": [ids[0], "none-1"]}) == {"retried": 1}
    assert await post(harness, "dead-letters/drop", {"ids": [ids[1]]}) == {"dropped": 1}
    other = {"filter": {"channel": "other"}}
    assert await post(harness, "dead-letters/retry", other) == {"retried": 0}
    assert await post(harness, "dead-letters/drop", {"filter": {}}) == {"dropped": 3}
    assert await post(harness, "dead-letters/drop", {"ids": []}) == {"dropped": 0}
    assert (await get(harness, "dead-letters"))["items"] == []


UNCLEAR: list[tuple[object, str]] = [
    (None, "$"),
    ({}, "$"),
    ({"ids": ["a"], "filter": {}}, "$"),
    ({"ids": "a"}, "$.ids"),
    ({"ids": [1]}, "$.ids[0]"),
    ({"filter": {"chanel": "letters"}}, "$.filter.chanel"),
    ({"filter": {"state": "delivered"}}, "$.filter.state"),
    ({"filter": {"since": "yesterday"}}, "$.filter.since"),
]


async def test_an_unclear_selection_changes_nothing(harness: Harness) -> None:
    id_ = await dead_letter(harness)
    for verb in ("retry", "drop"):
        for body, path in UNCLEAR:
            refused = await post(harness, f"dead-letters/{verb}", body, 400)
            assert [problem["path"] for problem in refused["problems"]] == [path], body
    assert (await get(harness, f"dead-letters/{id_}"))["state"] == "dead"


async def cancel(harness: Harness, status: int = 200, **body: Any) -> Node:  # noqa: ANN401 - JSON
    answer = await harness.client(OPERATOR).post("/v1/deliveries/cancel", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_open_deliveries_are_counted_then_cancelled_a_part_at_a_time(
    harness: Harness,
) -> None:
    for number in range(3):
        await plan(harness, await accept(harness, number))
    counted = await cancel(harness, filter={"channel": "letters"}, dry_run=True)
    row = {"channel": "letters", "rule": "everything", "waiting": 3, "sending": 0}
    left = {"cancelled": 0, "in_flight": 0, "remaining": 3, "matching": [row]}
    assert counted == left
    assert (await cancel(harness, filter={"channel": "text"}))["cancelled"] == 0
    done = await cancel(harness, filter={"rule": "everything"}, limit=2)
    assert (done["cancelled"], done["remaining"]) == (2, 1)
    assert await cancel(harness, filter={}) == {
        **left,
        "cancelled": 1,
        "remaining": 0,
        "matching": [],
    }
    items = (await harness.client(OPERATOR).get("/v1/deliveries?state=cancelled")).json()["items"]
    assert [item["reason"] for item in items] == ["operator"] * 3


async def test_a_cancellation_says_which_and_is_an_operators(harness: Harness) -> None:
    assert [p["path"] for p in (await cancel(harness, 400))["problems"]] == ["$.filter"]
    refused = await cancel(harness, 400, filter={"chanel": "text"}, limit=0)
    assert [p["path"] for p in refused["problems"]] == ["$.filter.chanel", "$.limit"]
    answer = await harness.client(APP).post("/v1/deliveries/cancel", json={"filter": {}})
    assert answer.status_code == 403
