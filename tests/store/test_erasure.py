"""An erased recipient is nowhere: not in a table, not in the file, not in its log of writes."""

from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Table, func, select

from router.core.model.facts import CallEvent, OnceKey, StateChanges
from router.core.model.read_receipt import ReadReceipt
from router.core.model.retry import Done
from router.core.model.unless import WaitClause, WaitCondition
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.recipients import erasure
from router.store.recipients.repository import ProfilePatch, Recipients
from router.store.schema import metadata
from router.store.schema.tables import deliveries
from tests.conftest import url_of
from tests.queue.rows import QueueRows
from tests.store.waiting_deliveries import Waiting, device

SECRET = "bob-was-here"
LONG = SECRET * 1000
"""Longer than a page of the file, so that it overflows."""


@pytest.fixture
def queue_rows(waiting: Waiting) -> QueueRows:
    return waiting.queue_rows


async def fill(recipients: Recipients, queue_rows: QueueRows, notifications: int) -> list[str]:
    """Give bob contacts and notifications that were sent, once-keys and all; return their ids."""
    await recipients.register("bob", device(f"{SECRET}-token", f"{SECRET}-session"), "app")
    await recipients.put(
        "bob", ProfilePatch(contacts={"email": SECRET}, attributes={"a": SECRET}), "app"
    )
    ids: list[str] = []
    for number in range(notifications):
        accepted = await queue_rows.append(uid="bob", text=f"{LONG}-{number}")
        delivery = queue_rows.delivery(accepted.id, address=SECRET, contact="")
        key = OnceKey(accepted.id, "r", 0, "c", "a")
        watching = WaitCondition(clauses=(WaitClause(read=True),), app_id="app", uid=SECRET)
        delivery = replace(delivery, watch=watching)
        heard = CallEvent("app", f"session {number}", "bob", "busy")
        effects = StateChanges(once=((key, delivery.id),), calls=(heard,))
        await queue_rows.settle(queue_rows.plan(accepted.id, delivery, effects=effects))
        ids.append(accepted.id)
    receipt = ReadReceipt(
        app_id="app", uid="bob", conversation=SECRET, message="1", read_at=queue_rows.now
    )
    await queue_rows.engine.journal.record_read_receipt(receipt, now=queue_rows.now)
    return ids


async def counts(database: Database) -> dict[str, int]:
    def count(connection: Connection, table: Table) -> int:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()

    tables = metadata.sorted_tables
    found = {t.name: await database.read(partial(count, table=t)) for t in tables}
    return {name: count for name, count in found.items() if count}


async def test_nothing_of_an_erased_recipient_can_be_read_in_any_file(
    database_file: Path,
) -> None:
    database = await Database.open(url_of(database_file))
    recipients = Recipients(database)
    await fill(recipients, Waiting(database).queue_rows, 5)
    assert SECRET.encode() in files(database_file)
    assert await recipients.erase("bob", "app")
    assert await counts(database) == {}
    assert SECRET.encode() not in files(database_file)
    await database.close()


def files(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


async def test_what_is_in_flight_is_erased_too_and_its_outcome_changes_nothing(
    database: Database, recipients: Recipients, queue_rows: QueueRows
) -> None:
    ids = await fill(recipients, queue_rows, 3)
    unplanned = await queue_rows.accept(uid="bob")
    assert len(await queue_rows.claimed()) == 1
    assert await recipients.erase("bob", "app")
    done = Settlement(
        delivery=f"{ids[0]}-0", attempt=queue_rows.attempt(f"{ids[0]}-0"), next=Done("handle")
    )
    assert await queue_rows.engine.queue.settle([done]) == [f"{ids[0]}-0"]
    await queue_rows.settle(
        queue_rows.plan(unplanned.id, queue_rows.delivery(unplanned.id, address=SECRET))
    )
    assert await counts(database) == {}


async def test_others_and_other_apps_are_left_alone(
    database: Database, recipients: Recipients, queue_rows: QueueRows
) -> None:
    await recipients.put("bob", ProfilePatch(attributes={"a": 1}), "other")
    await queue_rows.accept(uid="ann")
    before = await counts(database)
    await fill(recipients, queue_rows, 2)
    assert await recipients.erase("bob", "app")
    assert await counts(database) == before


async def test_an_erasure_that_breaks_off_leaves_nothing_in_halves_and_is_taken_up_again(
    database: Database,
    recipients: Recipients,
    queue_rows: QueueRows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasure, "DELETED_PER_TRANSACTION", 2)
    monkeypatch.setattr(erasure, "INDEX_ENTRIES_PER_QUERY", 3)
    await fill(recipients, queue_rows, 7)
    write, steps = database.write, 0

    async def break_off(work: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise OSError("the power is gone")
        return await write(work)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(database, "write", break_off)
    with pytest.raises(OSError, match="the power"):
        await recipients.erase("bob", "app")
    left = await counts(database)
    whole = ("notifications", "payloads", "deliveries", "once", "seen")
    assert len({left[name] for name in whole}) == 1, left
    assert 0 < left["notifications"] < 7
    assert await recipients.erase("bob", "app")
    assert await counts(database) == {}


async def test_the_end_of_a_call_that_another_one_s_notification_told_goes_too(
    database: Database, recipients: Recipients, queue_rows: QueueRows
) -> None:
    rang, ended = await queue_rows.accept(uid="bob"), await queue_rows.accept(uid="ann")
    ring = queue_rows.delivery(rang.id, address=SECRET, urgent=True)
    stop = queue_rows.delivery(ended.id, address=SECRET, operation="retract", original=ring.id)
    own = queue_rows.delivery(ended.id, 1, address="ann")
    await queue_rows.settle(queue_rows.plan(rang.id, ring))
    await queue_rows.settle(queue_rows.plan(ended.id, stop, own))
    assert await recipients.erase("bob", "app")
    found = await database.read(lambda c: c.execute(select(deliveries.c.id)).scalars().all())
    assert found == [own.id]
