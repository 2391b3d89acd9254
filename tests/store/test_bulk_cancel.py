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
from router.store.state import bulk_cancel
from router.store.state.bulk_cancel import BulkCancel, BulkCancelResult, CancelFilter, OpenCount
from tests.queue.conformance_watching import put_chain
from tests.queue.scene import HOUR, Scene
from tests.queue.test_sql_engine import SqlEngine

CANCELLED = ("cancelled", "operator")


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_cancel, "RECALL_PATIENCE_S", 0.0)


@pytest.fixture
def engine(database: Database) -> SqlEngine:
    return SqlEngine.over(database)


@pytest.fixture
def scene(engine: SqlEngine) -> Scene:
    return Scene(engine)


@pytest.fixture
def cancelling(database: Database, scene: Scene) -> BulkCancel:
    return BulkCancel(database, clock=lambda: scene.now)


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
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel, fields: dict[str, Any], hit: set[str]
) -> None:
    ids = {
        "sms": await scene.put(channel="sms", due_at=scene.now + 60),
        "mail": await scene.put(channel="mail", rule="other"),
    }
    scene.now += 200
    scene.numbers = count(int(scene.now * 1000) << 64)  # ids grow with time
    about = await scene.accept(uid="ann")
    late = scene.delivery(about.id, channel="sms")
    await scene.settle(scene.plan(about.id, late))
    ids["late"] = late.id

    which = CancelFilter(**fields)
    counted = await cancelling.count(which)
    assert sum(each.waiting for each in counted) == len(hit)
    assert await cancelling.cancel(which) == BulkCancelResult(cancelled=len(hit), in_flight=0)
    ended = {name for name, id_ in ids.items() if await state(engine, id_) == CANCELLED}
    assert ended == hit
    assert await cancelling.count(which) == ()
    assert set(await scene.claimed()) <= {ids[name] for name in ids.keys() - hit}


async def test_they_are_counted_by_channel_and_rule(scene: Scene, cancelling: BulkCancel) -> None:
    for _ in range(3):
        await scene.put(channel="sms")
    await scene.put(channel="sms", rule="other")
    assert len(await scene.claimed(1)) == 1
    assert await cancelling.count(CancelFilter()) == (
        OpenCount(channel="sms", rule="chat", waiting=2, sending=1),
        OpenCount(channel="sms", rule="other", waiting=1, sending=0),
    )


async def test_many_are_cancelled_in_steps_each_told_of_and_no_more_than_wished(
    scene: Scene, cancelling: BulkCancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_cancel, "CANCELLED_PER_TRANSACTION", 2)
    ids = [await scene.put() for _ in range(7)]
    told: list[int] = []
    done = await cancelling.cancel(CancelFilter(), most=3, progress=told.append)
    assert (done.cancelled, told) == (3, [2, 3])
    assert await scene.claimed() == ids[3:]
    assert (await cancelling.cancel(CancelFilter(), progress=told.append)).in_flight == 4


async def test_what_ended_is_left_alone_and_its_notification_adds_up(
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel
) -> None:
    about = await scene.accept()
    parts = [scene.delivery(about.id, n, address=str(n)) for n in range(2)]
    parts.append(scene.delivery(about.id, 2, address="2", due_at=scene.now + HOUR))
    await scene.settle(scene.plan(about.id, *parts))
    first, second = await scene.claimed()
    await engine.queue.settle(
        [
            Settlement(delivery=first, attempt=scene.attempt(first), next=Done()),
            Settlement(delivery=second, attempt=scene.attempt(second), next=Dead("no")),
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
    alone = await scene.put()
    await cancelling.cancel(CancelFilter())
    assert await engine.state(alone.rpartition("-")[0]) == "undelivered"


async def test_one_that_is_leased_is_recalled_and_never_tried_again(
    engine: SqlEngine, scene: Scene, database: Database
) -> None:
    heard: list[str] = []
    for _ in range(4):
        await scene.put()
    ids = await scene.claimed()
    cancelling = BulkCancel(database, heard.extend, lambda: scene.now)
    assert await engine.queue.recalled() == []
    assert await cancelling.cancel(CancelFilter()) == BulkCancelResult(cancelled=0, in_flight=4)
    assert heard == sorted(await engine.queue.recalled()) == sorted(ids)
    await engine.queue.settle(
        [
            Settlement(delivery=ids[0], attempt=scene.attempt(ids[0]), next=Again(scene.now)),
            Settlement(delivery=ids[1], attempt=None, next=Hold(scene.now + 60, "host_down")),
            Settlement(delivery=ids[2], attempt=scene.attempt(ids[2]), next=Done("x")),
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
    assert await scene.claimed() == []


async def test_one_whose_process_died_is_cancelled_when_its_lease_runs_out(
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel
) -> None:
    id_ = await scene.put()
    assert await scene.claimed() == [id_]
    await cancelling.cancel(CancelFilter())
    scene.now += 31
    assert await scene.claimed() == []
    assert await state(engine, id_) == CANCELLED


async def test_the_answer_waits_for_those_who_give_theirs_up(
    engine: SqlEngine, scene: Scene, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_cancel, "RECALL_PATIENCE_S", 60.0)
    await scene.put()
    await scene.claimed()
    tasks: list[asyncio.Task[None]] = []

    def recall(ids: Any) -> None:  # noqa: ANN401 - a collection
        tasks.append(asyncio.create_task(engine.queue.release(list(ids))))

    done = await BulkCancel(database, recall, lambda: scene.now).cancel(CancelFilter())
    assert done == BulkCancelResult(cancelled=1, in_flight=0)


async def test_another_process_hears_of_what_it_holds_and_of_no_more(
    scene: Scene,
    cancelling: BulkCancel,
    make_url: Any,  # noqa: ANN401 - a fixture
) -> None:
    ours = await scene.put()
    await scene.claimed()
    other = SqlQueue(await Database.open(make_url()))
    await cancelling.cancel(CancelFilter())
    assert await other.recalled() == []
    await other._database.close()
    assert await scene.engine.queue.recalled() == [ours]


async def test_what_died_afterwards_can_be_retried_by_a_person(
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel, database: Database
) -> None:
    id_ = await scene.put()
    await scene.claimed()
    await cancelling.cancel(CancelFilter())
    dead = Settlement(delivery=id_, attempt=scene.attempt(id_), next=Dead("no"))
    await engine.queue.settle([dead])
    await DeadLetters(database, lambda: scene.now).retry([id_])
    assert await scene.claimed() == [id_]
    assert await engine.queue.recalled() == []


async def test_what_stands_in_for_a_cancelled_one_does_not_go_instead(
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel
) -> None:
    id_ = await put_chain(scene, firsts=2)
    await cancelling.cancel(CancelFilter(channel="app"))
    states = [(await engine.delivery(f"{id_}-{n}")).state for n in range(3)]
    assert states == ["cancelled"] * 3
    assert await engine.state(id_) == "undelivered"
    scene.now += 3 * HOUR - 1
    assert await scene.claimed() == []


async def test_a_change_of_a_cancelled_message_is_not_shown(
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel
) -> None:
    original, edit = await scene.put(), await scene.accept()
    await cancelling.cancel(CancelFilter())
    update = scene.delivery(edit.id, operation="update", original=original)
    await scene.settle(scene.plan(edit.id, update))
    assert await scene.claimed() == []
    assert await state(engine, update.id) == ("cancelled", "not_shown")


async def test_a_cancelled_one_keeps_its_once_key(
    engine: SqlEngine, scene: Scene, cancelling: BulkCancel
) -> None:
    key = OnceKey("event", "chat", 0, "app", "room")
    about = await scene.accept()
    delivery = scene.delivery(about.id)
    effects = StateChanges(once=((key, delivery.id),))
    await scene.settle(scene.plan(about.id, delivery, effects=effects))
    await cancelling.cancel(CancelFilter())
    assert await engine.holder(key) == delivery.id
