"""The way in: receipts stand for what is on disk."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from router.core.errors import PayloadError
from router.core.model.notification import Notification, derive
from router.core.model.payload import decode
from router.ingest.accept import (
    DIGEST_IDEMPOTENCY_WINDOW_S,
    IDEMPOTENCY_WINDOW_S,
    PayloadAcceptor,
    window_of,
)
from router.queue.engine import SqlJournal
from router.queue.ports import JournalUnavailable
from router.store.db.database import Database
from router.store.schema.state_tables import reads
from router.telemetry import Metrics
from tests import SAMPLES
from tests.queue.rows import START, body_of
from tests.store.blocked_writer import Gate, hold_up


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Notification]:
    return []


@pytest.fixture
def intake(database: Database, clock: Clock, told: list[Notification]) -> PayloadAcceptor:
    return PayloadAcceptor(
        SqlJournal(database), clock=clock, dice=lambda: 0.5, accepted=told.append
    )


async def test_a_payload_is_on_disk_when_its_receipt_comes(
    intake: PayloadAcceptor, database: Database, told: list[Notification]
) -> None:
    receipt = await intake.accept(body_of("bob", "hello"))
    assert not receipt.duplicate
    (found,) = await SqlJournal(database).unplanned(after="", limit=9)
    assert found == told[0]
    assert (found.id, found.uid, found.accepted_at) == (receipt.id, "bob", START)


async def test_a_repeat_is_told_nobody(intake: PayloadAcceptor, told: list[Notification]) -> None:
    first = await intake.accept(body_of("bob", "hello"))
    again = await intake.accept(body_of("bob", "hello"))
    assert (again.id, again.duplicate) == (first.id, True)
    assert len(told) == 1


async def test_ids_grow_even_when_the_clock_steps_back(
    intake: PayloadAcceptor, clock: Clock
) -> None:
    ids: list[str] = []
    for step in (0.0, 0.0, -100.0, 5.0):
        clock.now += step
        ids.append((await intake.accept(body_of("bob", f"text {len(ids)}"))).id)
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", b'{"trigger": 1}', b"\xff"])
async def test_what_is_no_payload_is_refused_and_leaves_nothing(
    intake: PayloadAcceptor, database: Database, body: bytes
) -> None:
    with pytest.raises(PayloadError):
        await intake.accept(body)
    assert await SqlJournal(database).unplanned(after="", limit=9) == []


def sample(name: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Notification:
    body = msgspec.json.decode((SAMPLES / f"{name}.json").read_bytes())
    change(body)
    return derive(decode(msgspec.json.encode(body)), id="x", accepted_at=START)


def empty_messages(body: dict[str, Any]) -> None:
    body["data"]["messages"] = []


def drop_one_id(body: dict[str, Any]) -> None:
    del body["data"]["messages"][0]["messageObject"]["id"]


@pytest.mark.parametrize(
    ("notification", "window"),
    [
        (sample("push_chat_one_on_one"), IDEMPOTENCY_WINDOW_S),
        (sample("push_call_audio_initiated"), IDEMPOTENCY_WINDOW_S),
        (sample("email_one_on_one"), DIGEST_IDEMPOTENCY_WINDOW_S),
        (sample("sms_group"), DIGEST_IDEMPOTENCY_WINDOW_S),
        (sample("email_one_on_one_message_objects"), IDEMPOTENCY_WINDOW_S),
        (sample("email_one_on_one_message_objects", drop_one_id), DIGEST_IDEMPOTENCY_WINDOW_S),
        (sample("email_one_on_one_message_objects", empty_messages), DIGEST_IDEMPOTENCY_WINDOW_S),
    ],
)
def test_a_digest_that_names_no_messages_may_come_again_in_a_minute(
    notification: Notification, window: float
) -> None:
    assert window_of(notification) == window


async def test_the_same_digest_a_minute_later_is_a_new_one(
    intake: PayloadAcceptor, clock: Clock
) -> None:
    body = (SAMPLES / "sms_one_on_one.json").read_bytes()
    first = await intake.accept(body)
    clock.now += 49
    assert (await intake.accept(body)).duplicate
    clock.now += 11
    again = await intake.accept(body)
    assert (again.duplicate, again.id == first.id) == (False, False)


async def test_secrets_never_reach_the_disk(sqlite_database: Database, database_file: Path) -> None:
    intake = PayloadAcceptor(SqlJournal(sqlite_database))
    body = msgspec.json.decode((SAMPLES / "push_call_audio_initiated.json").read_bytes())
    details = body["data"]["notificationDetails"]
    details["wsChannel"] = {"secret": "opens-the-door"}
    details["custom"] = {"Password": "hunter2"}
    await intake.accept(msgspec.json.encode(body))
    stored = b"".join(path.read_bytes() for path in database_file.parent.glob("router.db*"))
    assert b"bob" in stored or b"cometchat-uid" in stored
    assert b"opens-the-door" not in stored
    assert b"hunter2" not in stored


async def test_what_cannot_be_durable_in_time_is_refused_and_withdrawn(
    database: Database, told: list[Notification]
) -> None:
    gate, passed = await hold_up(database)
    journal = SqlJournal(database, patience=0.01)
    with pytest.raises(JournalUnavailable, match=r"not durable within 0\.01 s"):
        await PayloadAcceptor(journal, accepted=told.append).accept(body_of("bob", "hello"))
    gate.open()
    await passed
    assert told == []
    assert await journal.unplanned(after="", limit=9) == []
    assert not (
        await PayloadAcceptor(SqlJournal(database)).accept(body_of("bob", "hello"))
    ).duplicate


async def test_what_was_given_up_too_late_is_there_and_a_repeat_of_it_a_duplicate(
    database: Database, told: list[Notification]
) -> None:
    before, passed_before = await hold_up(database)
    intake = PayloadAcceptor(SqlJournal(database, patience=0.5), accepted=told.append)
    accepting = asyncio.create_task(intake.accept(body_of("bob", "hello")))
    within = Gate()
    passed_within = asyncio.create_task(database.write(within.wait))
    await asyncio.sleep(0)
    before.open()
    await within.entered.wait()
    with pytest.raises(JournalUnavailable):
        await accepting
    within.open()
    await asyncio.gather(passed_before, passed_within)
    assert told == []
    (found,) = await SqlJournal(database).unplanned(after="", limit=9)
    receipt = await PayloadAcceptor(SqlJournal(database)).accept(body_of("bob", "hello"))
    assert (receipt.id, receipt.duplicate) == (found.id, True)


async def test_a_closed_database_is_unavailable(database_url: str) -> None:
    database = await Database.open(database_url)
    await database.close()
    with pytest.raises(JournalUnavailable):
        await PayloadAcceptor(SqlJournal(database)).accept(body_of("bob", "hello"))


async def test_who_read_what_is_on_disk_when_an_event_is_heard(
    intake: PayloadAcceptor, database: Database
) -> None:
    body = b'{"trigger": "message_read_receipt", "appId": "app", "data": %s}'
    assert await intake.record_read_receipt(body % b'{"messageId": 7, "user": {"uid": "bob"}}')
    assert not await intake.record_read_receipt(b'{"trigger": "message_sent"}')
    found = await database.read(lambda c: c.execute(select(reads)).all())
    assert [tuple(row) for row in found] == [("app", "bob", "#7", 7, START)]


async def test_a_time_that_is_far_ahead_is_that_of_the_arrival(
    intake: PayloadAcceptor, database: Database
) -> None:
    event = {"messageId": 7, "user": {"uid": "bob"}, "readAt": START + 3600, "conversationId": "x"}
    body = {"trigger": "message_read_receipt", "appId": "app", "data": event}
    assert await intake.record_read_receipt(msgspec.json.encode(body))
    found = await database.read(lambda c: c.execute(select(reads)).all())
    assert [tuple(row) for row in found] == [("app", "bob", "x", 7, START)]


async def test_events_are_counted_by_trigger(database: Database) -> None:
    metrics = Metrics()
    intake = PayloadAcceptor(SqlJournal(database), metrics=metrics)
    await intake.record_read_receipt(b'{"trigger": "message_sent"}')
    assert (
        b'router_events_total{result="ignored",trigger="message_sent"} 1.0' in metrics.exposition()
    )
