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
from tests.queue.scene import Scene
from tests.store.stage import Waiting

DAY = 86400.0


@pytest.fixture
def scene(waiting: Waiting) -> Scene:
    return waiting.scene


async def count_rows(database: Database, table: Table) -> int:
    query = select(func.count()).select_from(table)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def put(scene: Scene, minter: IdGenerator, state: str) -> str:
    """Accept a notification now, and plan it into a state; return its id."""
    entry = scene.entry(uid=state)
    id_ = minter.mint(scene.now)
    moved = replace(entry, notification=replace(entry.notification, id=id_))
    await scene.engine.journal.append(moved)
    key = OnceKey(id_, "r", 0, "c", "a")
    plans: dict[str, Plan] = {
        "pending": scene.plan(id_, scene.delivery(id_)),
        "dropped": scene.plan(id_, effects=StateChanges(once=((key, f"{id_}-0"),))),
        "undecidable": scene.plan(id_, state="undecidable"),
    }
    if state in plans:
        await scene.settle(plans[state])
    return id_


async def test_what_has_ended_goes_when_it_is_old(
    database: Database, scene: Scene, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    minter = IdGenerator(lambda: 0.5)
    old = {
        state: [await put(scene, minter, state) for _ in range(3)]
        for state in ("accepted", "pending", "dropped", "undecidable")
    }
    scene.now += 30 * DAY
    young = await put(scene, minter, "dropped")
    assert await Retention(database, lambda: scene.now + 1).sweep(30 * DAY) == 6
    for state in ("accepted", "pending"):
        assert {await waiting.engine.state(id_) for id_ in old[state]} == {state}
    assert await waiting.engine.state(young) == "dropped"
    assert (await waiting.engine.delivery(f"{old['pending'][0]}-0")).state == "waiting"
    assert await count_rows(database, once) == 1
    assert await Retention(database, lambda: scene.now + 1).sweep(30 * DAY) == 0


async def test_idempotency_keys_go_when_their_window_has_passed(
    database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    for window in (10.0, 10.0, 10.0, 20.0):
        await scene.append(window=window)
    begun = scene.now
    for seconds, left in ((9.0, 4), (10.0, 1), (20.0, 0)):
        scene.now = begun + seconds
        await Retention(database, lambda: scene.now).sweep(30 * DAY)
        assert await count_rows(database, seen) == left


async def test_windows_of_throttles_go_when_they_have_closed(
    database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    for seconds in (10.0, 10.0, 10.0, 20.0):
        accepted = await scene.accept()
        move = WindowUpdate(
            key=accepted.id, before=None, after=ThrottleWindow(closes_at=scene.now + seconds)
        )
        await scene.settle(scene.plan(accepted.id, effects=StateChanges(counters=(move,))))
    for seconds, left in ((9.0, 4), (10.0, 1), (20.0, 0)):
        await Retention(database, lambda s=seconds: scene.now + s).sweep(30 * DAY)  # type: ignore[misc]  # a default is how a loop binds
        assert await count_rows(database, throttles) == left


async def test_a_sweep_that_breaks_off_leaves_nothing_in_halves_and_is_taken_up_again(
    database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    minter = IdGenerator(lambda: 0.5)
    for _ in range(7):
        await put(scene, minter, "dropped")
    scene.now += 30 * DAY
    write, steps = database.write, 0

    async def break_off(work: Callable[[Connection], object]) -> object:
        nonlocal steps
        steps += 1
        if steps == 4 + 4 + 1 + 2:  # after keys, once-keys, windows and two notifications
            raise StoreUnavailable("the disk is full")
        return await write(work)

    monkeypatch.setattr(database, "write", break_off)
    with pytest.raises(StoreUnavailable):
        await Retention(database, lambda: scene.now + 1).sweep(30 * DAY)
    for table in (notifications, payloads):
        assert await count_rows(database, table) == 5
    assert await Retention(database, lambda: scene.now + 1).sweep(30 * DAY) == 5


async def test_others_get_their_turn_between_the_steps_of_a_sweep(
    database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 1)
    minter = IdGenerator(lambda: 0.5)
    for _ in range(20):
        await put(scene, minter, "dropped")
    scene.now += 30 * DAY
    sweeping = asyncio.create_task(Retention(database, lambda: scene.now + 1).sweep(30 * DAY))
    written = 0
    while not sweeping.done():
        await scene.append()
        written += 1
    assert await sweeping == 20
    assert written >= 10


async def test_what_was_heard_and_read_goes_after_a_day(
    database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_PER_TRANSACTION", 2)
    accepted = await scene.accept()
    heard = tuple(CallEvent("app", f"s{number}", "", "ended") for number in range(5))
    await scene.settle(scene.plan(accepted.id, effects=StateChanges(calls=heard)))
    for number in range(5):
        receipt = ReadReceipt(
            app_id="app", uid=f"u{number}", conversation="c", message="1", read_at=None
        )
        await scene.engine.journal.record_read_receipt(receipt, now=scene.now)
    for seconds, left in ((DAY, 5), (DAY + 1, 0)):
        await Retention(database, lambda: scene.now + seconds).sweep(30 * DAY)  # noqa: B023 - at once
        assert await count_rows(database, calls) == left
        assert await count_rows(database, reads) == left
