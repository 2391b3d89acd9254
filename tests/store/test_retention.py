"""What is old goes, and nothing else."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Table, func, select

from router.core.model.facts import CallEvent, OnceKey, StateChanges, ThrottleWindow, WindowUpdate
from router.core.model.read_receipt import ReadReceipt
from router.queue.ports import Plan
from router.store import retention
from router.store.db.database import Database
from router.store.errors import StoreUnavailable
from router.store.retention import Retention
from router.store.schema.ids import IdGenerator
from router.store.schema.state_tables import calls, reads, throttles
from router.store.schema.tables import notifications, once, payloads, seen
from tests.queue.rows import QueueRows
from tests.store.waiting_deliveries import Waiting

DAY = 86400.0


@pytest.fixture
def queue_rows(waiting: Waiting) -> QueueRows:
    return waiting.queue_rows


async def count_rows(database: Database, table: Table) -> int:
    query = select(func.count()).select_from(table)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def put(queue_rows: QueueRows, minter: IdGenerator, state: str) -> str:
    """Accept a notification now, and plan it into a state; return its id."""
    entry = queue_rows.entry(uid=state)
    id_ = minter.mint(queue_rows.now)
    moved = replace(entry, notification=replace(entry.notification, id=id_))
    await queue_rows.engine.journal.append(moved)
    key = OnceKey(id_, "r", 0, "c", "a")
    plans: dict[str, Plan] = {
        "pending": queue_rows.plan(id_, queue_rows.delivery(id_)),
        "dropped": queue_rows.plan(id_, effects=StateChanges(once=((key, f"{id_}-0"),))),
        "undecidable": queue_rows.plan(id_, state="undecidable"),
    }
    if state in plans:
        await queue_rows.settle(plans[state])
    return id_


async def test_what_has_ended_goes_when_it_is_old(
    database: Database, queue_rows: QueueRows, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    minter = IdGenerator(lambda: 0.5)
    old = {
        state: [await put(queue_rows, minter, state) for _ in range(3)]
        for state in ("accepted", "pending", "dropped", "undecidable")
    }
    queue_rows.now += 30 * DAY
    young = await put(queue_rows, minter, "dropped")
    assert await Retention(database, lambda: queue_rows.now + 1).sweep(30 * DAY) == 6
    for state in ("accepted", "pending"):
        assert {await waiting.engine.state(id_) for id_ in old[state]} == {state}
    assert await waiting.engine.state(young) == "dropped"
    assert (await waiting.engine.delivery(f"{old['pending'][0]}-0")).state == "waiting"
    assert await count_rows(database, once) == 1
    assert await Retention(database, lambda: queue_rows.now + 1).sweep(30 * DAY) == 0


async def test_idempotency_keys_go_when_their_window_has_passed(
    database: Database, queue_rows: QueueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    for window in (10.0, 10.0, 10.0, 20.0):
        await queue_rows.append(window=window)
    begun = queue_rows.now
    for seconds, left in ((9.0, 4), (10.0, 1), (20.0, 0)):
        queue_rows.now = begun + seconds
        await Retention(database, lambda: queue_rows.now).sweep(30 * DAY)
        assert await count_rows(database, seen) == left


async def test_windows_of_throttles_go_when_they_have_closed(
    database: Database, queue_rows: QueueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    for seconds in (10.0, 10.0, 10.0, 20.0):
        accepted = await queue_rows.accept()
        move = WindowUpdate(
            key=accepted.id, before=None, after=ThrottleWindow(closes_at=queue_rows.now + seconds)
        )
        await queue_rows.settle(
            queue_rows.plan(accepted.id, effects=StateChanges(counters=(move,)))
        )
    for seconds, left in ((9.0, 4), (10.0, 1), (20.0, 0)):
        await Retention(database, lambda s=seconds: queue_rows.now + s).sweep(30 * DAY)  # type: ignore[misc]  # a default is how a loop binds
        assert await count_rows(database, throttles) == left


async def test_a_sweep_that_breaks_off_leaves_nothing_in_halves_and_is_taken_up_again(
    database: Database, queue_rows: QueueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    minter = IdGenerator(lambda: 0.5)
    for _ in range(7):
        await put(queue_rows, minter, "dropped")
    queue_rows.now += 30 * DAY
    write, steps = database.write, 0

    async def break_off(work: Callable[[Connection], object]) -> object:
        nonlocal steps
        steps += 1
        if steps == 4 + 4 + 1 + 2:  # after keys, once-keys, windows and two notifications
            raise StoreUnavailable("the disk is full")
        return await write(work)

    monkeypatch.setattr(database, "write", break_off)
    with pytest.raises(StoreUnavailable):
        await Retention(database, lambda: queue_rows.now + 1).sweep(30 * DAY)
    for table in (notifications, payloads):
        assert await count_rows(database, table) == 5
    assert await Retention(database, lambda: queue_rows.now + 1).sweep(30 * DAY) == 5


async def test_others_get_their_turn_between_the_steps_of_a_sweep(
    database: Database, queue_rows: QueueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 1)
    minter = IdGenerator(lambda: 0.5)
    for _ in range(20):
        await put(queue_rows, minter, "dropped")
    queue_rows.now += 30 * DAY
    sweeping = asyncio.create_task(Retention(database, lambda: queue_rows.now + 1).sweep(30 * DAY))
    written = 0
    while not sweeping.done():
        await queue_rows.append()
        written += 1
    assert await sweeping == 20
    assert written >= 10


async def test_what_was_heard_and_read_goes_after_a_day(
    database: Database, queue_rows: QueueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    accepted = await queue_rows.accept()
    heard = tuple(CallEvent("app", f"s{number}", "", "ended") for number in range(5))
    await queue_rows.settle(queue_rows.plan(accepted.id, effects=StateChanges(calls=heard)))
    for number in range(5):
        receipt = ReadReceipt(
            app_id="app", uid=f"u{number}", conversation="c", message="1", read_at=None
        )
        await queue_rows.engine.journal.record_read_receipt(receipt, now=queue_rows.now)
    for seconds, left in ((DAY, 5), (DAY + 1, 0)):
        await Retention(database, lambda: queue_rows.now + seconds).sweep(30 * DAY)  # noqa: B023 - at once
        assert await count_rows(database, calls) == left
        assert await count_rows(database, reads) == left
