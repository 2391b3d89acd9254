"""The group-commit writer."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from router.store.db.connection import ThreadWriteConnection
from router.store.db.database import Database
from router.store.db.group_commit import WriteOperation, WriteOrder
from router.store.errors import StoreUnavailable
from tests.store.blocked_writer import Gate, hold_up


def put_hold(connection: Connection, channel: object, cause: str = "paused") -> None:
    row = {"channel": channel, "cause": cause}
    connection.execute(text("INSERT INTO holds VALUES (:channel, :cause, '', 1.0)"), row)


def operation(
    name: str = "hold", rank: WriteOrder = WriteOrder.SETTLE, **settings: int
) -> tuple[WriteOperation[object, str], list[tuple[str, Sequence[object]]]]:
    """Return an operation that writes holds, and the calls it gets."""
    calls: list[tuple[str, Sequence[object]]] = []

    def apply(connection: Connection, items: Sequence[object]) -> list[str]:
        calls.append((name, tuple(items)))
        for item in items:
            put_hold(connection, item, name)
        return [f"wrote {item}" for item in items]

    return WriteOperation(name=name, rank=rank, apply=apply, **settings), calls


async def channels(database: Database) -> list[str]:
    query = text("SELECT channel FROM holds ORDER BY channel")
    return await database.read(lambda c: list(c.execute(query).scalars()))


async def test_a_lone_item_is_committed_at_once(database: Database) -> None:
    hold, calls = operation()
    assert await database.writer.put(hold, "a") == "wrote a"
    assert await channels(database) == ["a"]
    assert len(calls) == 1


async def test_what_comes_during_a_commit_is_the_next_one(database: Database) -> None:
    hold, calls = operation()
    gate, task = await hold_up(database)
    puts = [asyncio.create_task(database.writer.put(hold, name)) for name in "abc"]
    await asyncio.sleep(0)
    assert calls == []
    gate.open()
    assert await asyncio.gather(*puts) == ["wrote a", "wrote b", "wrote c"]
    await task
    assert calls == [("hold", ("a", "b", "c"))]


async def test_the_operations_of_a_commit_go_by_rank(database: Database) -> None:
    order: list[str] = []

    def noting(name: str, rank: WriteOrder) -> WriteOperation[str, str]:
        def apply(_: Connection, items: Sequence[str]) -> Sequence[str]:
            order.append(name)
            return items

        return WriteOperation(name=name, rank=rank, apply=apply)

    operations = [
        noting(rank.name, rank) for rank in (WriteOrder.PLAN, WriteOrder.ACCEPT, WriteOrder.SETTLE)
    ]
    gate, task = await hold_up(database)
    last = asyncio.create_task(database.write(lambda _: order.append("work")))
    await asyncio.sleep(0)
    puts = [asyncio.create_task(database.writer.put(each, "x")) for each in operations]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(task, last, *puts)
    assert order == ["ACCEPT", "SETTLE", "PLAN", "work"]


async def test_a_commit_takes_no_more_than_its_batch(database: Database) -> None:
    hold, calls = operation(batch=2)
    gate, task = await hold_up(database)
    everything = asyncio.gather(*(database.writer.put(hold, name) for name in "abcde"))
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(task, everything)
    assert [len(items) for _, items in calls] == [2, 2, 1]


async def test_a_bad_row_fails_alone(database: Database) -> None:
    hold, _ = operation()
    bad: list[object] = ["a", None, "b", 2**70, "c", "\ud800", "a"]
    results = await database.writer.put_all(hold, bad)
    good = [result for result in results if isinstance(result, str)]
    assert good == ["wrote a", "wrote b", "wrote c"]
    failures = [result for result in results if isinstance(result, Exception)]
    assert len(failures) == 4
    assert not any(isinstance(failure, StoreUnavailable) for failure in failures)
    assert isinstance(failures[-1], IntegrityError)
    assert await channels(database) == ["a", "b", "c"]


async def test_work_that_raises_fails_alone_and_leaves_nothing_behind(database: Database) -> None:
    hold, _ = operation()

    def fail(connection: Connection) -> None:
        put_hold(connection, "half")
        raise LookupError("no")

    gate, task = await hold_up(database)
    failing = asyncio.create_task(database.write(fail))
    fine = asyncio.create_task(database.writer.put(hold, "a"))
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(LookupError):
        await failing
    assert await fine == "wrote a"
    await task
    assert await channels(database) == ["a"]


async def test_who_stops_waiting_withdraws_what_was_not_begun(database: Database) -> None:
    hold, calls = operation()
    gate, task = await hold_up(database)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await database.writer.put(hold, "a")
    gate.open()
    await task
    assert await channels(database) == []
    assert calls == []


async def test_who_stops_waiting_too_late_withdraws_nothing(database: Database) -> None:
    gate = Gate()
    hold, _ = operation()

    def both(connection: Connection, items: Sequence[str]) -> Sequence[str]:
        gate.wait(connection)
        put_hold(connection, items[0])
        return items

    slow = WriteOperation(name="slow", rank=WriteOrder.ACCEPT, apply=both)
    late = asyncio.create_task(database.writer.put(slow, "late"))
    await gate.entered.wait()
    late.cancel()
    gate.open()
    assert await database.writer.put(hold, "next") == "wrote next"
    assert await channels(database) == ["late", "next"]


async def test_what_is_committed_after_it_was_given_up_is_told(database: Database) -> None:
    told: list[str] = []
    database.writer.unawaited = lambda: told.append("late")
    gate = Gate()

    def wait(connection: Connection, items: Sequence[str]) -> list[str]:
        gate.wait(connection)
        return list(items)

    accept = WriteOperation[str, str](name="x", rank=WriteOrder.ACCEPT, apply=wait, patience=0.05)
    with pytest.raises(StoreUnavailable, match=r"not durable within 0\.05 s"):
        await database.writer.put(accept, "given up")
    gate.open()
    await database.write(lambda _: None)
    assert told == ["late"]
    assert await database.writer.put(accept, "in time") == "in time"
    assert told == ["late"]


async def test_beyond_its_queue_an_operation_takes_no_more(database: Database) -> None:
    hold, _ = operation(queue=2)
    other, _ = operation("other")
    gate, task = await hold_up(database)
    waiting = [asyncio.create_task(database.writer.put(hold, name)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="too many writes are waiting: 2"):
        await database.writer.put(hold, "c")
    unbounded = asyncio.create_task(database.writer.put(other, "d"))
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(task, unbounded, *waiting)
    assert await channels(database) == ["a", "b", "d"]


@pytest.fixture
async def bystander(database_file: Path) -> AsyncIterator[sqlite3.Connection]:
    connection = sqlite3.connect(database_file, isolation_level=None)
    yield connection
    connection.close()


async def test_a_full_disk_fails_everybody_in_the_commit_and_then_it_goes_on(
    sqlite_database: Database,
) -> None:
    hold, calls = operation()

    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    await sqlite_database.write(lambda c: limit(c, 1))
    results = await sqlite_database.writer.put_all(hold, ["a" * 100_000, "b" * 100_000])
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable]
    assert "full" in str(results[0])
    assert len(calls) == 1, "a failed commit is not tried again"
    await sqlite_database.write(lambda c: limit(c, 1_000_000))
    assert await sqlite_database.writer.put(hold, "c") == "wrote c"
    assert await channels(sqlite_database) == ["c"]


async def test_a_locked_database_fails_everybody_and_then_it_goes_on(
    sqlite_database: Database, bystander: sqlite3.Connection
) -> None:
    hold, _ = operation()
    await sqlite_database.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout=10").close())
    bystander.execute("BEGIN IMMEDIATE")
    results = await sqlite_database.writer.put_all(hold, ["a", "b"])
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable]
    assert "locked" in str(results[0])
    bystander.execute("COMMIT")
    assert await sqlite_database.writer.put(hold, "c") == "wrote c"
    assert await channels(sqlite_database) == ["c"]


async def set_read_only(database: Database) -> None:
    """Reach around the writer: no transaction can begin on a connection that is read only."""
    line = database.writer._line
    assert isinstance(line, ThreadWriteConnection)
    assert line._connection is not None
    driver = line._connection.connection.driver_connection
    assert driver is not None
    await asyncio.wrap_future(line._thread.submit(driver.execute, "PRAGMA query_only=ON"))


async def test_a_connection_that_turns_read_only_fails_everybody_and_is_replaced(
    sqlite_database: Database,
) -> None:
    hold, _ = operation()
    await sqlite_database.writer.put(hold, "first")
    await set_read_only(sqlite_database)
    with pytest.raises(StoreUnavailable, match="readonly"):
        await sqlite_database.writer.put(hold, "a")
    assert await sqlite_database.writer.put(hold, "b") == "wrote b"


async def test_an_error_names_no_values(sqlite_database: Database) -> None:
    hold, _ = operation()
    await sqlite_database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1").close())
    with pytest.raises(StoreUnavailable) as caught:
        await sqlite_database.writer.put(hold, "secret" * 10_000)
    assert "secret" not in str(caught.value)


async def test_closing_commits_what_waits_and_then_refuses(database_url: str) -> None:
    database = await Database.open(database_url)
    hold, _ = operation()
    gate, task = await hold_up(database)
    waiting = asyncio.create_task(database.writer.put(hold, "a"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    gate.open()
    assert await waiting == "wrote a"
    await asyncio.gather(task, closing)
    with pytest.raises(StoreUnavailable, match="closed"):
        await database.writer.put(hold, "b")
