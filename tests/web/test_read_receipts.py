"""`POST /webhook/events`: what CometChat's general webhooks are answered."""

import json
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from router.store.schema.state_tables import reads
from router.web.webhook import EVENTS_PATH, MAX_BODY_BYTES
from tests import TESTDATA
from tests.web.harness import Broken, FullDisk, Harness, basic, open_harness

GENERAL = TESTDATA / "general"
READ = (GENERAL / "message_read_receipt_in_a_group.json").read_bytes()


async def post(harness: Harness, body: bytes, path: str = EVENTS_PATH) -> httpx.Response:
    return await harness.client().post(path, content=body, headers=basic())


async def test_a_read_receipt_is_on_disk_when_it_is_answered(harness: Harness) -> None:
    answer = await post(harness, READ)
    assert (answer.status_code, answer.json()) == (200, {"message": "accepted"})
    rows = await harness.site.database.read(lambda c: c.execute(select(reads)).all())
    assert [tuple(row) for row in rows] == [("app-1", "uid-2", "group_group-1", 57, 1696934912.0)]
    assert (await post(harness, READ, f"{EVENTS_PATH}/")).json() == {"message": "accepted"}


async def test_what_is_of_no_use_is_answered_200(harness: Harness) -> None:
    for name in ("message_sent", "call_initiated", "group_member_left", "legacy_after_message"):
        answer = await post(harness, (GENERAL / f"{name}.json").read_bytes())
        assert (answer.status_code, answer.json()) == (200, {"message": "ignored"})


async def test_each_door_names_the_other_to_who_stands_at_the_wrong_one(harness: Harness) -> None:
    payload = (GENERAL / "payload_of_another_webhook.json").read_bytes()
    wrong = await post(harness, payload)
    other = await post(harness, READ, "/webhook")
    assert (wrong.status_code, other.status_code) == (400, 400)
    assert wrong.json()["problems"] == [
        {"path": "$.trigger", "reason": "is the trigger of a custom provider; send it to /webhook"}
    ]
    (problem,) = other.json()["problems"]
    assert problem["path"] == "$.trigger"
    assert problem["reason"].endswith("CometChat's general webhooks are for /webhook/events")


async def test_it_asks_who_and_how_much_as_the_webhook_does(harness: Harness) -> None:
    client = harness.client()
    assert (await client.post(EVENTS_PATH, content=READ)).status_code == 401
    assert (await client.get(EVENTS_PATH, headers=basic())).status_code == 405
    assert (await post(harness, b" " * (MAX_BODY_BYTES + 1))).status_code == 413
    assert harness.refused == ["unauthorized", "method", "too_large"]


@pytest.mark.parametrize(("intake", "status"), [(FullDisk(), 503), (Broken(), 500)])
async def test_an_event_that_cannot_be_kept_is_to_come_again(
    intake: FullDisk | Broken, status: int, tmp_path: Path
) -> None:
    async with open_harness(tmp_path, intake=intake) as harness:
        answer = await post(harness, READ)
        assert answer.status_code == status
        assert ("Retry-After" in answer.headers) == (status == 503)
        assert "hunter2" not in json.dumps(answer.json())
