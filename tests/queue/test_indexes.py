"""However long the log grows, no statement of the way of a payload walks a table of SQLite."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, event

from router.core.model.call import OVER
from router.core.model.facts import (
    CallEvent,
    Cancellation,
    OnceKey,
    StateChanges,
    ThrottleWindow,
    WaitingSummary,
    WindowUpdate,
)
from router.core.model.notification import DAY_S
from router.core.model.retry import Done
from router.core.model.unless import WaitClause
from router.queue.ports import Settlement
from router.store.db.connection import ThreadWriteConnection
from router.store.db.database import Database
from router.store.facts_reader import FactsReader
from router.store.log.filters import CancelFilter
from router.store.recipients.repository import Recipients, Registration
from router.store.retention import Retention
from router.store.state.bulk_cancel import BulkCancel
from tests.queue.conformance_wait_conditions import put, receipt, watch
from tests.queue.rows import HOUR, QueueRows
from tests.queue.test_sql_engine import SqlEngine

SMALL = {"holds", "hops", "page", "CONSTANT"}
"""A row a channel, rows a query makes itself, a bounded page, and an empty list of ids."""


@contextmanager
def explained(engine: Any) -> Iterator[dict[str, list[str]]]:  # noqa: ANN401 - sync or under an async one
    """Collect the query plan of every statement."""
    found: dict[str, list[str]] = {}

    def explain(
        connection: Connection, _: object, statement: str, parameters: Sequence[Any], *__: object
    ) -> None:
        if statement.startswith(("BEGIN", "PRAGMA", "EXPLAIN")) or statement in found:
            return
        found[statement] = []
        values = parameters[0] if isinstance(parameters, list) else parameters
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        found[statement] = [row[3] for row in rows]

    event.listen(engine, "before_cursor_execute", explain)
    yield found
    event.remove(engine, "before_cursor_execute", explain)


def walks(plans: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the steps that read a whole table, or a whole index of all its rows."""
    steps = [(statement, step) for statement, plan in plans.items() for step in plan]
    scans = [
        (s, step)
        for s, step in steps
        if (found := re.match(r"SCAN (\w+)", step)) and found[1] not in SMALL
    ]
    return [(s, step) for s, step in scans if not re.search("deliveries_(sending|waiting)", step)]


async def watch_and_hear(queue_rows: QueueRows) -> None:
    """Let a delivery wait for what is read, for a call and for another one, and all that happen."""
    late: dict[str, Any] = {"due_at": queue_rows.now + 60}
    clause = WaitClause(delivered="app", read=True, call=OVER)
    watching = watch(clause, awaited={"app": ("x-0",)}, stands_by=True)
    id_ = await put(queue_rows, {"awaited": True}, {**late, "watch": watching})
    await queue_rows.engine.journal.record_read_receipt(
        receipt(conversation=""), now=queue_rows.now
    )
    await put(queue_rows, heard=(CallEvent("app", "s1", "", "ended"),))
    queue_rows.now += HOUR
    assert f"{id_}-1" not in await queue_rows.claimed()


async def change_what_is_sent(queue_rows: QueueRows) -> None:
    """Let a delivery be changed that waits, so that another one takes its place."""
    original, edits = await queue_rows.put(), [await queue_rows.accept() for _ in range(2)]
    plans = [
        queue_rows.plan(
            each.id, queue_rows.delivery(each.id, operation="update", original=original)
        )
        for each in edits
    ]
    assert (await queue_rows.engine.journal.settle(plans)).stale == frozenset()
    assert original not in await queue_rows.claimed()
    row = await queue_rows.engine.delivery(original)
    assert row.reason == f"replaced: {edits[0].id}-0"


async def test_nothing_on_the_way_walks_a_table(sqlite_database: Database) -> None:
    database = sqlite_database
    line, glances = database.writer._line, database._glances
    assert isinstance(line, ThreadWriteConnection)
    assert isinstance(glances, ThreadWriteConnection)
    engine, queue_rows = SqlEngine.over(database), QueueRows(SqlEngine.over(database))
    with explained(line._engine) as written, explained(glances._engine) as read:
        device = Registration(platform="p", address="t", auth_token="s")
        contact = await Recipients(database).register("bob", device, "app")
        accepted = [await queue_rows.accept() for _ in range(3)]
        assert len(await engine.journal.unplanned(after="", limit=9)) == 3
        world = FactsReader(database)
        await world.facts(accepted, {each.event for each in accepted})
        lease: dict[str, Any] = {
            "state": "sending",
            "handouts": 1,
            "lease_until": queue_rows.now + 30,
        }
        for each in accepted:
            delivery = queue_rows.delivery(each.id, address="t", contact=contact.id, **lease)
            await queue_rows.settle(queue_rows.plan(each.id, delivery))
        assert await queue_rows.claimed() == []
        done = Settlement(delivery=f"{accepted[0].id}-0", attempt=None, next=Done())
        assert await engine.queue.settle([done]) == []
        assert await queue_rows.claimed() == [f"{accepted[1].id}-0"]
        edit, waits = await queue_rows.accept(), f"{accepted[2].id}-0"
        summary = WaitingSummary(slot="s", delivery=waits, count=1, due_at=queue_rows.now)
        window = ThrottleWindow(
            closes_at=queue_rows.now,
            count=1,
            summaries=(summary,),
            first="Zoë",
            people=("a1", "b2"),
        )
        effects = StateChanges(
            counters=(WindowUpdate(key="k", before=None, after=window),),
            endings=(Cancellation(delivery=waits, state="cancelled", reason="deleted"),),
        )
        assert await world.counters(["k"]) == {}
        assert await world.earlier(accepted) != {}
        assert (
            await queue_rows.settle(queue_rows.plan(edit.id, effects=effects))
        ).stale == frozenset()
        assert await world.counters(["k"]) == {"k": replace(window, summaries=())}
        await engine.queue.extend([f"{accepted[1].id}-0"], until=queue_rows.now + 60)
        await engine.queue.release([f"{accepted[1].id}-0"])
        await watch_and_hear(queue_rows)
        await change_what_is_sent(queue_rows)
        await Recipients(database).logout("bob", "s", "app")
    assert len(written) > 20
    assert len(read) >= 3
    assert walks(written) + walks(read) == []


async def test_sweeping_and_erasing_walk_no_table(sqlite_database: Database) -> None:
    database = sqlite_database
    line, queue_rows = database.writer._line, QueueRows(SqlEngine.over(database))
    assert isinstance(line, ThreadWriteConnection)
    with explained(line._engine) as written, explained(database._readers.sync_engine) as read:
        for uid in ("bob", "ann"):
            await Recipients(database).register(uid, Registration(platform="p", address=uid), "app")
            accepted = [await queue_rows.accept(uid=uid) for _ in range(3)]
            for each in accepted:
                key = OnceKey(each.id, "r", 0, "c", "a")
                window = ThrottleWindow(closes_at=queue_rows.now)
                move = WindowUpdate(key=each.id, before=None, after=window)
                await queue_rows.settle(
                    queue_rows.plan(
                        each.id,
                        effects=StateChanges(once=((key, f"{each.id}-0"),), counters=(move,)),
                    )
                )
            if uid == "bob":
                assert await Recipients(database).erase("bob", "app")
        assert await Retention(database, lambda: queue_rows.now + 90 * DAY_S).sweep(30 * DAY_S) == 3
    deleted = {
        found[1] for statement in written if (found := re.match(r"DELETE FROM (\w+)", statement))
    }
    assert deleted == {
        *("notifications", "payloads", "deliveries", "attempts"),
        *("contacts", "recipients", "seen", "once", "throttles", "calls", "reads", "watches"),
    }
    assert walks(written) + walks(read) == []


@pytest.mark.parametrize(
    "which",
    [
        CancelFilter(),
        CancelFilter(rule="r", channel="c"),
        CancelFilter(recipient="bob", app_id="app", since=1.0),
        CancelFilter(notification="n"),
    ],
)
async def test_cancelling_walks_no_more_than_what_is_open(
    sqlite_database: Database, which: CancelFilter
) -> None:
    database = sqlite_database
    line, queue_rows = database.writer._line, QueueRows(SqlEngine.over(database))
    assert isinstance(line, ThreadWriteConnection)
    for _ in range(3):
        await queue_rows.put(rule="r", channel="c")
    cancelling = BulkCancel(database, clock=lambda: queue_rows.now)
    with explained(line._engine) as written, explained(database._readers.sync_engine) as read:
        await cancelling.count(which)
        await cancelling.cancel(which)
    assert walks(written) + walks(read) == []
    by_log = "deliveries USING INDEX sqlite_autoindex_deliveries_1 (id>"
    assert not any(by_log in step for plan in read.values() for step in plan)
