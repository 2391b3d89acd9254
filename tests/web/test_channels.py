"""`/v1/channels` over a real database: what holds a channel, and holding it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.queue.engine import SqlQueue
from tests.web.harness import APP, OPERATOR, RULES, Harness, open_harness
from tests.web.test_delivery_log import accept, plan

Node = dict[str, Any]


@pytest.fixture
async def ruled(tmp_path: Path, database_url: str) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, rules=RULES, url=database_url) as harness:
        yield harness


async def post(harness: Harness, path: str, content: Node | None = None, status: int = 200) -> Node:
    answer = await harness.client(OPERATOR).post(f"/v1/channels/{path}", json=content)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def show(harness: Harness) -> dict[str, Node]:
    answer = await harness.client(OPERATOR).get("/v1/channels")
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"] is None
    return {item["name"]: item for item in answer.json()["items"]}


async def test_channels_are_listed_with_what_holds_them_and_what_waits(ruled: Harness) -> None:
    await plan(ruled, await accept(ruled))
    queue, until = SqlQueue(ruled.site.database), time.time() + 60
    await queue.pause("mail", cause="suspended", until=until)
    await queue.pause("mail", cause="open", until=until, host="down.example")
    shown = await show(ruled)
    assert list(shown) == ["letters", "mail", "text"]
    assert shown["mail"] == {
        "name": "mail",
        "configured": True,
        "holds": [
            {"cause": "open", "host": "down.example", "until": until},
            {"cause": "suspended", "host": "", "until": until},
        ],
        "due": 0,
        "waiting": 0,
        "sending": 0,
        "oldest_due_at": None,
    }
    assert shown["text"]["holds"] == []
    letters = shown["letters"]
    assert (letters["configured"], letters["due"], letters["oldest_due_at"]) == (False, 1, 0.0)


async def test_a_pause_lasts_until_it_is_resumed_or_as_long_as_it_says(ruled: Harness) -> None:
    paused = await post(ruled, "mail/pause", {})
    assert paused["holds"] == [{"cause": "paused", "host": "", "until": None}]
    resumed = await post(ruled, "mail/resume")
    assert resumed["holds"] == []

    before = time.time()
    (held,) = (await post(ruled, "mail/pause", {"seconds": 60}))["holds"]
    assert before + 60 <= held["until"] <= time.time() + 60
    (held,) = (await post(ruled, "mail/pause", {"until": before + 90}))["holds"]
    assert held["until"] == before + 90
    assert (await show(ruled))["text"]["holds"] == []


async def test_resuming_ends_whatever_holds_it(ruled: Harness) -> None:
    queue = SqlQueue(ruled.site.database)
    for cause in ("suspended", "open"):
        await queue.pause("mail", cause=cause, until=time.time() + 60)
    assert (await post(ruled, "mail/resume"))["holds"] == []


async def test_a_channel_that_is_not_there_is_refused_with_the_nearest_name(ruled: Harness) -> None:
    for path, content in (("mial/pause", {}), ("mial/resume", None)):
        refused = await post(ruled, path, content, 404)
        assert "mail" in refused["detail"]
    assert (await show(ruled)).keys() == {"mail", "text"}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"seconds": 0}, "$.seconds"),
        ({"seconds": "60"}, "$.seconds"),
        ({"until": 1000}, "$.until"),
        ({"seconds": 60, "until": 4e9}, "$"),
        ({"minutes": 1}, "$.minutes"),
    ],
)
async def test_a_pause_that_makes_no_sense_changes_nothing(
    ruled: Harness, content: Node, place: str
) -> None:
    refused = await post(ruled, "mail/pause", content, 400)
    assert [problem["path"] for problem in refused["problems"]] == [place]
    assert (await show(ruled))["mail"]["holds"] == []


async def test_only_operators_may(ruled: Harness) -> None:
    client = ruled.client(APP)
    assert (await client.get("/v1/channels")).status_code == 403
    for verb in ("pause", "resume"):
        assert (await client.post(f"/v1/channels/mail/{verb}", json={})).status_code == 403


async def test_sending_is_stopped_over_all_channels_and_started_again(ruled: Harness) -> None:
    client = ruled.client(OPERATOR)
    assert (await client.get("/v1/sending")).json() == {"stopped": False}
    await post(ruled, "mail/pause", {})
    for _ in range(2):
        assert (await client.post("/v1/sending/stop")).json() == {"stopped": True}
    shown = await show(ruled)
    assert shown.keys() == {"mail", "text"}
    assert shown["text"]["holds"] == [{"cause": "stopped", "host": "", "until": None}]
    assert {hold["cause"] for hold in shown["mail"]["holds"]} == {"stopped", "paused"}
    resumed = await post(ruled, "mail/resume")
    assert [hold["cause"] for hold in resumed["holds"]] == ["stopped"]
    assert (await client.get("/v1/sending")).json() == {"stopped": True}
    for _ in range(2):
        assert (await client.post("/v1/sending/start")).json() == {"stopped": False}
    assert (await show(ruled))["text"]["holds"] == []


async def test_sending_is_an_operators(ruled: Harness) -> None:
    for verb in ("stop", "start"):
        assert (await ruled.client(APP).post(f"/v1/sending/{verb}")).status_code == 403
