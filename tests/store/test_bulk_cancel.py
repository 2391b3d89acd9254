"""Open deliveries are cancelled in bulk: those that match, and nothing else."""

import asyncio
from itertools import count
from typing import Any

import pytest

from router.core.model.facts import OnceKey, StateChanges
from router.core.model.retry import Again, Dead, Done, Hold
from router.queue.engine import SqlQueue
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.log.dead_letters import DeadLetters
from router.store.log.filters import CancelFilter
from router.store.state import bulk_cancel
from router.store.state.bulk_cancel import BulkCancel, BulkCancelResult, OpenCount
from tests.queue.conformance_wait_conditions import put_chain
from tests.queue.rows import HOUR, QueueRows
from tests.queue.test_sql_engine import SqlEngine

CANCELLED = ("cancelled", "operator")


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_cancel, "RECALL_PATIENCE_S", 0.0)


@pytest.fixture
def engine(database: Database) -> SqlEngine:
    return SqlEngine.over(database)


@pytest.fixture
def queue_rows(engine: SqlEngine) -> QueueRows:
    return QueueRows(engine)


@pytest.fixture
def cancelling(database: Database, queue_rows: QueueRows) -> BulkCancel:
    return BulkCancel(database, clock=lambda: queue_rows.now)


async def state(engine: SqlEngine, delivery: str) -> tuple[str, str]:
    row = await engine.delivery(delivery)
    return row.state, row.reason


@pytest.mark.parametrize(
    ("fields", "hit"),
    [
        ({}, {"sms", "mail", "late"}),
        ({"channel": "sms"}, {"sms", "late"}),
        ({"rule": "other"}, {"mail"}),
        ({"recipient": "ann"}, {"late"}),
        ({"app_id": "app"}, {"sms", "mail", "late"}),
        ({"app_id": "another"}, set()),
        ({"since": 1_800_000_100.0}, {"late"}),
        ({"until": 1_800_000_100.0}, {"sms", "mail"}),
        ({"channel": "sms", "recipient": "bob"}, {"sms"}),
        ({"notification": f"{1:028x}"}, {"sms"}),
    ],
)
async def test_the_filter_says_which(
    engine: SqlEngine,
    queue_rows: QueueRows,
    cancelling: BulkCancel,
    fields: dict[str, Any],
    hit: set[str],
) -> None:
    ids = {
        "sms": await queue_rows.put(channel="sms", due_at=queue_rows.now + 60),
        "mail": await queue_rows.put(channel="mail", rule="other"),
    }
    queue_rows.now += 200
    queue_rows.numbers = count(int(queue_rows.now * 1000) << 64)  # ids grow with time
    about = await queue_rows.accept(uid="ann")
    late = queue_rows.delivery(about.id, channel="sms")
    await queue_rows.settle(queue_rows.plan(about.id, late))
    ids["late"] = late.id

    which = CancelFilter(**fields)
    counted = await cancelling.count(which)
    assert sum(each.waiting for each in counted) == len(hit)
    assert await cancelling.cancel(which) == BulkCancelResult(cancelled=len(hit), in_flight=0)
    ended = {name for name, id_ in ids.items() if await state(engine, id_) == CANCELLED}
    assert ended == hit
    assert await cancelling.count(which) == ()
    assert set(await queue_rows.claimed()) <= {ids[name] for name in ids.keys() - hit}


async def test_they_are_counted_by_channel_and_rule(
    queue_rows: QueueRows, cancelling: BulkCancel
) -> None:
    for _ in range(3):
        await queue_rows.put(channel="sms")
    await queue_rows.put(channel="sms", rule="other")
    assert len(await queue_rows.claimed(1)) == 1
    assert await cancelling.count(CancelFilter()) == (
        OpenCount(channel="sms", rule="chat", waiting=2, sending=1),
        OpenCount(channel="sms", rule="other", waiting=1, sending=0),
    )


async def test_many_are_cancelled_in_steps_each_told_of_and_no_more_than_wished(
    queue_rows: QueueRows, cancelling: BulkCancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_cancel, "CANCELLED_PER_TRANSACTION", 2)
    ids = [await queue_rows.put() for _ in range(7)]
    told: list[int] = []
    done = await cancelling.cancel(CancelFilter(), most=3, progress=told.append)
    assert (done.cancelled, told) == (3, [2, 3])
    assert await queue_rows.claimed() == ids[3:]
    assert (await cancelling.cancel(CancelFilter(), progress=told.append)).in_flight == 4


async def test_what_ended_is_left_alone_and_its_notification_adds_up(
    engine: SqlEngine, queue_rows: QueueRows, cancelling: BulkCancel
) -> None:
    about = await queue_rows.accept()
    parts = [queue_rows.delivery(about.id, n, address=str(n)) for n in range(2)]
    parts.append(queue_rows.delivery(about.id, 2, address="2", due_at=queue_rows.now + HOUR))
    await queue_rows.settle(queue_rows.plan(about.id, *parts))
    first, second = await queue_rows.claimed()
    await engine.queue.settle(
        [
            Settlement(delivery=first, attempt=queue_rows.attempt(first), next=Done()),
            Settlement(delivery=second, attempt=queue_rows.attempt(second), next=Dead("no")),
        ]
    )
    assert await engine.state(about.id) == "pending"
    assert (await cancelling.cancel(CancelFilter())).cancelled == 1
    assert await engine.state(about.id) == "partial"
    assert [(await engine.delivery(part.id)).state for part in parts] == [
        "delivered",
        "dead",
        "cancelled",
    ]
    alone = await queue_rows.put()
    await cancelling.cancel(CancelFilter())
    assert await engine.state(alone.rpartition("-")[0]) == "undelivered"


async def test_one_that_is_leased_is_recalled_and_never_tried_again(
    engine: SqlEngine, queue_rows: QueueRows, database: Database
) -> None:
    heard: list[str] = []
    for _ in range(4):
        await queue_rows.put()
    ids = await queue_rows.claimed()
    cancelling = BulkCancel(database, heard.extend, lambda: queue_rows.now)
    assert await engine.queue.recalled() == []
    assert await cancelling.cancel(CancelFilter()) == BulkCancelResult(cancelled=0, in_flight=4)
    assert heard == sorted(await engine.queue.recalled()) == sorted(ids)
    await engine.queue.settle(
        [
            Settlement(
                delivery=ids[0], attempt=queue_rows.attempt(ids[0]), next=Again(queue_rows.now)
            ),
            Settlement(delivery=ids[1], attempt=None, next=Hold(queue_rows.now + 60, "host_down")),
            Settlement(delivery=ids[2], attempt=queue_rows.attempt(ids[2]), next=Done("x")),
        ]
    )
    await engine.queue.release([ids[3]])
    assert [await state(engine, id_) for id_ in ids] == [
        CANCELLED,
        CANCELLED,
        ("delivered", ""),
        CANCELLED,
    ]
    assert await engine.queue.recalled() == []
    assert await queue_rows.claimed() == []


async def test_one_whose_process_died_is_cancelled_when_its_lease_runs_out(
    engine: SqlEngine, queue_rows: QueueRows, cancelling: BulkCancel
) -> None:
    id_ = await queue_rows.put()
    assert await queue_rows.claimed() == [id_]
    await cancelling.cancel(CancelFilter())
    queue_rows.now += 31
    assert await queue_rows.claimed() == []
    assert await state(engine, id_) == CANCELLED


async def test_the_answer_waits_for_those_who_give_theirs_up(
    engine: SqlEngine, queue_rows: QueueRows, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_cancel, "RECALL_PATIENCE_S", 60.0)
    await queue_rows.put()
    await queue_rows.claimed()
    tasks: list[asyncio.Task[None]] = []

    def recall(ids: Any) -> None:  # noqa: ANN401 - a collection
        tasks.append(asyncio.create_task(engine.queue.release(list(ids))))

    done = await BulkCancel(database, recall, lambda: queue_rows.now).cancel(CancelFilter())
    assert done == BulkCancelResult(cancelled=1, in_flight=0)


async def test_another_process_hears_of_what_it_holds_and_of_no_more(
    queue_rows: QueueRows,
    cancelling: BulkCancel,
    make_url: Any,  # noqa: ANN401 - a fixture
) -> None:
    ours = await queue_rows.put()
    await queue_rows.claimed()
    other = SqlQueue(await Database.open(make_url()))
    await cancelling.cancel(CancelFilter())
    assert await other.recalled() == []
    await other._database.close()
    assert await queue_rows.engine.queue.recalled() == [ours]


async def test_what_died_afterwards_can_be_retried_by_a_person(
    engine: SqlEngine, queue_rows: QueueRows, cancelling: BulkCancel, database: Database
) -> None:
    id_ = await queue_rows.put()
    await queue_rows.claimed()
    await cancelling.cancel(CancelFilter())
    dead = Settlement(delivery=id_, attempt=queue_rows.attempt(id_), next=Dead("no"))
    await engine.queue.settle([dead])
    await DeadLetters(database, lambda: queue_rows.now).retry([id_])
    assert await queue_rows.claimed() == [id_]
    assert await engine.queue.recalled() == []


async def test_what_stands_in_for_a_cancelled_one_does_not_go_instead(
    engine: SqlEngine, queue_rows: QueueRows, cancelling: BulkCancel
) -> None:
    id_ = await put_chain(queue_rows, firsts=2)
    await cancelling.cancel(CancelFilter(channel="app"))
    states = [(await engine.delivery(f"{id_}-{n}")).state for n in range(3)]
    assert states == ["cancelled"] * 3
    assert await engine.state(id_) == "undelivered"
    queue_rows.now += 3 * HOUR - 1
    assert await queue_rows.claimed() == []


async def test_a_change_of_a_cancelled_message_is_not_shown(
    engine: SqlEngine, queue_rows: QueueRows, cancelling: BulkCancel
) -> None:
    original, edit = await queue_rows.put(), await queue_rows.accept()
    await cancelling.cancel(CancelFilter())
    update = queue_rows.delivery(edit.id, operation="update", original=original)
    await queue_rows.settle(queue_rows.plan(edit.id, update))
    assert await queue_rows.claimed() == []
    assert await state(engine, update.id) == ("cancelled", "not_shown")


async def test_a_cancelled_one_keeps_its_once_key(
    engine: SqlEngine, queue_rows: QueueRows, cancelling: BulkCancel
) -> None:
    key = OnceKey("event", "chat", 0, "app", "room")
    about = await queue_rows.accept()
    delivery = queue_rows.delivery(about.id)
    effects = StateChanges(once=((key, delivery.id),))
    await queue_rows.settle(queue_rows.plan(about.id, delivery, effects=effects))
    await cancelling.cancel(CancelFilter())
    assert await engine.holder(key) == delivery.id
