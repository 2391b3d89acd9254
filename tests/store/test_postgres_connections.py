"""Connections to PostgreSQL that are lost, blocked or cut off: nothing hangs, all of it goes on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.util import await_only

from router.ingest.accept import PayloadAcceptor
from router.queue.engine import SqlJournal
from router.queue.ports import JournalUnavailable
from router.store.db import database as store
from router.store.db import postgres as limits
from router.store.db.database import Database
from router.store.db.group_commit import WriteOperation, WriteOrder
from router.store.errors import DatabaseUnusable, StoreUnavailable
from tests.postgres import Databases, Server
from tests.queue.rows import body_of
from tests.store.test_group_commit import channels, operation

PATIENCE = 20.0


@pytest.fixture
async def opened(postgres_url: str) -> AsyncIterator[Database]:
    database = await Database.open(postgres_url)
    yield database
    await database.close()


@asynccontextmanager
async def session(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection that is not the router's."""
    parts = make_url(url)
    connection = await asyncpg.connect(
        user=parts.username,
        password=parts.password,
        host=parts.host,
        port=parts.port,
        database=parts.database,
    )
    try:
        yield connection
    finally:
        await connection.close()


async def until_it_works(database: Database, channel: str) -> int:
    """Write a hold until that succeeds; return how often it failed."""
    hold, _ = operation()
    async with asyncio.timeout(PATIENCE):
        for failed in range(1000):
            try:
                await database.writer.put(hold, channel)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return failed
    raise AssertionError


@pytest.mark.parametrize("end", [Server.restart, lambda server: (server.kill(), server.start())])
async def test_a_server_that_starts_again_is_used_again(
    own_postgres: Server, end: Callable[[Server], object]
) -> None:
    database = await Database.open(own_postgres.make_database())
    assert await until_it_works(database, "before") == 0
    await database.check()
    end(own_postgres)
    await until_it_works(database, "after")
    await database.check()
    assert await channels(database) == ["after", "before"]
    await database.close()


async def test_while_the_server_is_away_accepting_is_refused_in_time_and_then_goes_on(
    own_postgres: Server,
) -> None:
    database = await Database.open(own_postgres.make_database())
    intake = PayloadAcceptor(SqlJournal(database))
    first = await intake.accept(body_of("bob", "first"))
    own_postgres.kill()
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(JournalUnavailable):
            await intake.accept(body_of("bob", "second"))
        assert time.monotonic() - began < 2.0
    own_postgres.start()
    async with asyncio.timeout(PATIENCE):
        second = None
        while second is None:
            try:
                second = await intake.accept(body_of("bob", "second"))
            except JournalUnavailable:
                await asyncio.sleep(0.05)
    found = await SqlJournal(database).unplanned(after="", limit=9)
    assert [each.id for each in found] == [first.id, second.id]
    await database.close()


async def test_who_was_cut_off_between_two_statements_does_not_notice(
    opened: Database, postgres: Databases, postgres_url: str
) -> None:
    assert await until_it_works(opened, "a") == 0
    await opened.check()
    assert postgres.terminate(postgres_url) == 2
    await asyncio.sleep(0.1)  # the closing has to arrive
    assert await until_it_works(opened, "b") == 0
    await opened.check()


async def test_a_transaction_that_is_cut_off_fails_and_the_next_one_does_not(
    opened: Database,
) -> None:
    hold, _ = operation()
    suicide = text("SELECT pg_terminate_backend(pg_backend_pid())")
    fatal = asyncio.create_task(opened.write(lambda c: c.execute(suicide)))
    together = asyncio.create_task(opened.writer.put(hold, "a"))
    results = await asyncio.gather(fatal, together, return_exceptions=True)
    assert all(isinstance(result, StoreUnavailable) for result in results), results
    assert await until_it_works(opened, "b") == 0
    assert await channels(opened) == ["b"]


async def test_a_row_that_somebody_else_keeps_locked_is_given_up_and_nothing_hangs(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOCK_TIMEOUT_S", 0.3)
    opened = await Database.open(postgres_url)
    hold, _ = operation()
    await opened.writer.put(hold, "a")
    async with session(postgres_url) as other, other.transaction():
        await other.execute("LOCK TABLE holds")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await opened.writer.put(hold, "b")
        assert time.monotonic() - began < 5
    assert await opened.writer.put(hold, "c") == "wrote c"
    assert await channels(opened) == ["a", "c"]
    await opened.close()


async def test_accepting_waits_for_no_lock_of_another_session_for_long(postgres_url: str) -> None:
    opened = await Database.open(postgres_url)
    intake = PayloadAcceptor(SqlJournal(opened))
    async with session(postgres_url) as other, other.transaction():
        await other.execute("LOCK TABLE seen")
        began = time.monotonic()
        with pytest.raises(JournalUnavailable, match=r"not durable within 1\.5 s"):
            await intake.accept(body_of("bob", "hello"))
        assert time.monotonic() - began < 2.5
    async with asyncio.timeout(PATIENCE):  # what was in flight may be there: then it is a repeat
        assert (await intake.accept(body_of("bob", "hello"))).id
    await opened.close()


async def test_what_takes_too_long_is_ended_by_the_server(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "READ_TIMEOUT_S", 0.3)
    opened = await Database.open(postgres_url)
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await opened.read(lambda c: c.execute(text("SELECT pg_sleep(30)")))
    await opened.check()
    await opened.close()


async def test_a_server_that_does_not_answer_is_given_up(
    own_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr(limits, "TIMEOUT_MARGIN_S", 0.3)
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT_S", 0.5)
    url = own_postgres.make_database()
    opened = await Database.open(url)
    line = opened.writer._line
    monkeypatch.setattr(line, "_limit", 0.2)
    assert await until_it_works(opened, "a") == 0
    await opened.check()
    hold, _ = operation()
    with own_postgres.frozen(url):
        began = time.monotonic()
        for attempt in (opened.writer.put(hold, "b"), opened.check(), opened.writer.put(hold, "c")):
            with pytest.raises(StoreUnavailable):
                await attempt
        with pytest.raises(DatabaseUnusable):
            await Database.open(url)
        assert time.monotonic() - began < 10
    await until_it_works(opened, "d")
    await opened.check()
    assert {"a", "d"} <= set(await channels(opened))
    await opened.close()


async def test_statements_prepared_before_a_change_of_the_tables_are_prepared_again(
    opened: Database, postgres: Databases, postgres_url: str
) -> None:
    queue_rows = PayloadAcceptor(SqlJournal(opened))
    await queue_rows.accept(body_of("bob", "before"))
    assert len(await SqlJournal(opened).unplanned(after="", limit=9)) == 1
    postgres.execute("ALTER TABLE notifications ALTER COLUMN app_id TYPE varchar", url=postgres_url)
    postgres.execute("ALTER TABLE seen ADD COLUMN more text", url=postgres_url)
    await queue_rows.accept(body_of("bob", "after"))
    await queue_rows.accept(body_of("bob", "after"))
    assert len(await SqlJournal(opened).unplanned(after="", limit=9)) == 2


async def test_a_text_that_postgresql_cannot_hold_is_refused_alone(opened: Database) -> None:
    hold, _ = operation()
    results = await opened.writer.put_all(hold, ["a", "nul\0", "b", "\ud800", 2**70, "c"])
    assert [result for result in results if isinstance(result, str)] == [
        f"wrote {name}" for name in "abc"
    ]
    assert not any(isinstance(result, StoreUnavailable) for result in results)
    assert await channels(opened) == ["a", "b", "c"]


async def test_of_two_commits_in_a_ring_both_are_written(postgres_url: str) -> None:
    one, other = [await Database.open(postgres_url) for _ in range(2)]
    hold, _ = operation()
    for name in "ab":
        await one.writer.put(hold, name)
    touch = text("UPDATE holds SET until = until + 1 WHERE channel = :channel")
    met = asyncio.Barrier(2)

    def lock_both(first: str, second: str) -> WriteOperation[str, str]:
        tries: list[str] = []

        def apply(connection: Connection, items: object) -> list[str]:
            tries.append(first)
            connection.execute(touch, {"channel": first})
            if len(tries) == 1:
                await_only(met.wait())
            connection.execute(touch, {"channel": second})
            return [f"{len(tries)} tries"]

        return WriteOperation(name=first, rank=WriteOrder.REST, apply=apply)

    results = await asyncio.gather(
        one.writer.put(lock_both("a", "b"), ""), other.writer.put(lock_both("b", "a"), "")
    )
    assert sorted(results) == ["1 tries", "2 tries"]
    query = text("SELECT DISTINCT until FROM holds")
    assert await one.read(lambda c: c.execute(query).scalars().all()) == [3.0]
    for database in (one, other):
        await database.close()
