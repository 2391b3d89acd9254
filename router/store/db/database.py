"""The database: connections to read, and the one connection that writes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    delete,
    event,
    insert,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from router.store.db.connection import AsyncWriteConnection, ThreadWriteConnection, WriteConnection
from router.store.db.group_commit import GroupCommitWriter
from router.store.db.locks import lock
from router.store.db.postgres import limited, open_server
from router.store.db.sqlite_file import DatabaseFile, empty_log, prepare
from router.store.db.url import is_sqlite, parse
from router.store.errors import DatabaseUnusable, StoreUnavailable
from router.store.schema.tables import seen

T = TypeVar("T")

SCHEMA_REVISION = max(
    path.name[:4] for path in (Path(__file__).parents[1] / "migrations" / "versions").glob("*.py")
)
"""The revision of the schema this version works with: that of its newest migration."""

MAX_CONCURRENT_READS = 4
"""How many queries may run at the same time."""

READ_TIMEOUT_S = 30.0
"""Seconds a query may take on a server."""

WRITE_TIMEOUT_S = 10.0
"""Seconds a transaction may take on a server."""

_TRIES, _PAUSE = 20, 0.05
"""How often, and after how many seconds each, the log of writes is tried to be emptied."""


class Database:
    """An open database: `read` runs a query on a pool, `writer` is the only way to change it.

    Queries and work are plain functions of a connection, so that the same statements run on a
    thread, on asyncio, and inside a migration.
    """

    def __init__(
        self, readers: AsyncEngine, line: WriteConnection, glances: WriteConnection | None
    ) -> None:
        """Read over a pool, glance over a line and write over another; use `open`."""
        self.owner = uuid4().hex
        """Whom what is leased over this database is leased to: no other process has the name."""
        self._readers = readers
        self._glances = glances
        self.writer = GroupCommitWriter(line)

    @classmethod
    async def open(cls, url: str, *, migrate: bool = False) -> "Database":
        """Return the database behind an SQLAlchemy URL, ready to use.

        With `migrate` an SQLite file is made or brought up to date first; any other database
        must have been migrated by `router migrate`. Raises `DatabaseUnusable` with the remedy
        when its schema is older or newer than this version, or it cannot be reached.
        """
        parsed = parse(url)
        readers = _open_readers(parsed)
        try:
            if migrate and is_sqlite(parsed):
                await _prepare_schema(parsed, readers)
            else:
                await _require_head(parsed, readers)
        except BaseException:
            await readers.dispose()
            raise
        file = DatabaseFile(Path(parsed.database or "")) if is_sqlite(parsed) else None
        if file is not None:
            file.guard(readers.sync_engine)
        return cls(readers, _open_writer(parsed, file), _open_fast_reader(parsed, file))

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what the query gives on a reading connection; raises `StoreUnavailable`."""
        try:
            async with (
                self._readers.connect() as connection,
                limited(connection, READ_TIMEOUT_S),
            ):
                return await connection.run_sync(query)
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(
                f"the database cannot be read: {_driver_message(error)}"
            ) from error

    async def read_fast(self, query: Callable[[Connection], T]) -> T:
        """Return what a short query of the hot path gives; raises `StoreUnavailable`.

        One at a time: nobody may have to wait for a long one here.
        """
        if self._glances is None:
            return await self.read(query)
        try:
            return await self._glances.commit(query)
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(
                f"the database cannot be read: {_driver_message(error)}"
            ) from error

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives, once it is committed; raises `StoreUnavailable`."""
        return await self.writer.run(work)

    async def empty_log(self) -> None:
        """Let nothing deleted be read in SQLite's log of writes, if that can be done now."""
        for _ in range(_TRIES if self._readers.dialect.name == "sqlite" else 0):
            if await self.read(empty_log):
                return
            await asyncio.sleep(_PAUSE)

    async def check(self) -> None:
        """Return when it was read and written; raises `StoreUnavailable` when it cannot be."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")))
        await self.write(_check_writable)

    async def close(self) -> None:
        """Write what still waits, and close every connection."""
        await self.writer.close()
        if self._glances is not None:
            await self._glances.close()
        await self._readers.dispose()


async def migrate(url: str) -> str:
    """Bring the schema of a database up to date; return the revision it has now.

    An SQLite file that is not there is made. Raises `DatabaseUnusable` when the database is
    newer than this version or cannot be reached.
    """
    parsed = parse(url)
    readers = _open_readers(parsed)
    try:
        await _prepare_schema(parsed, readers)
    finally:
        await readers.dispose()
    return SCHEMA_REVISION


async def _require_head(url: URL, readers: AsyncEngine) -> None:
    stamp = None if _is_absent(url) else await _find_revision(readers, url)
    if stamp != SCHEMA_REVISION:
        raise DatabaseUnusable(_explain_revision(stamp, url))


def _is_absent(url: URL) -> bool:
    """Return whether SQLite would make the file if it were asked to read it."""
    return is_sqlite(url) and not Path(url.database or "").exists()


def _make_private(url: URL) -> None:
    """Make the file so that its owner alone can read it: it will hold tokens and messages."""
    try:
        Path(url.database or "").touch(mode=0o600)
    except OSError as error:
        raise DatabaseUnusable(
            f"{_database_name(url)} cannot be created: {error.strerror}"
        ) from error


async def _prepare_schema(url: URL, readers: AsyncEngine) -> None:
    if _is_absent(url):
        _make_private(url)
    stamp = await _find_revision(readers, url)
    if stamp == SCHEMA_REVISION:
        return
    if stamp is not None and stamp > SCHEMA_REVISION:
        raise DatabaseUnusable(_explain_revision(stamp, url))
    line = _open_writer(url, limit=0)
    try:
        await line.commit(_upgrade)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnusable(
            f"{_database_name(url)} cannot be migrated: {_driver_message(error)}"
        ) from error
    finally:
        await line.close()


def _open_readers(url: URL) -> AsyncEngine:
    if not is_sqlite(url):
        try:
            return open_server(
                url, connections=MAX_CONCURRENT_READS, limit=READ_TIMEOUT_S, isolation="AUTOCOMMIT"
            )
        except ImportError as error:
            remedy = "pip install 'notification-router[postgres]'"
            raise DatabaseUnusable(f"{url.drivername}: {error}; {remedy}") from error
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=MAX_CONCURRENT_READS,
        max_overflow=0,
        pool_timeout=READ_TIMEOUT_S,
        hide_parameters=True,  # an error is logged, tokens and texts are not
    )
    event.listen(engine.sync_engine, "connect", prepare)
    return engine


def _open_writer(
    url: URL, file: DatabaseFile | None = None, *, limit: float = WRITE_TIMEOUT_S
) -> WriteConnection:
    if not is_sqlite(url):
        server = open_server(url, connections=1, limit=limit, isolation="READ COMMITTED")
        return AsyncWriteConnection(server, limit)
    engine = _open_file(url, file)
    event.listen(engine, "begin", _begin)
    return ThreadWriteConnection(engine)


def _open_fast_reader(url: URL, file: DatabaseFile | None) -> WriteConnection | None:
    return ThreadWriteConnection(_open_file(url, file)) if is_sqlite(url) else None


def _open_file(url: URL, file: DatabaseFile | None) -> Engine:
    sync = url.set(drivername="sqlite+pysqlite")
    engine = create_engine(sync, pool_size=1, max_overflow=0, hide_parameters=True)
    event.listen(engine, "connect", prepare)
    if file is not None:
        file.guard(engine)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _check_writable(connection: Connection) -> None:
    """Write to the disk and change nothing: a full one can still be read."""
    row = {"key": "", "notification": "", "expires_at": 0.0}
    connection.execute(insert(seen), row)
    connection.execute(delete(seen).where(seen.c.key == ""))


async def _find_revision(engine: AsyncEngine, url: URL) -> str | None:
    """Return the revision a database has; None when it has no tables of ours.

    A file is looked into without the asyncio driver, whose thread dies noisily when it cannot
    be opened.
    """
    try:
        if is_sqlite(url):
            return await asyncio.to_thread(_read_revision_of_file, url)
        async with engine.connect() as connection:
            return await connection.run_sync(_read_revision)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnusable(
            f"{_database_name(url)} cannot be opened: {_driver_message(error)}"
        ) from error


def _read_revision_of_file(url: URL) -> str | None:
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), poolclass=NullPool)
    with engine.connect() as connection:
        return _read_revision(connection)


def _read_revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from router.store.migrations import upgrade  # noqa: PLC0415 - alembic is slow to import

    lock(connection, "migrate")
    if _read_revision(connection) != SCHEMA_REVISION:  # else another process was first
        upgrade(connection, SCHEMA_REVISION)


def _explain_revision(stamp: str | None, url: URL) -> str:
    name = _database_name(url)
    if stamp is not None and stamp > SCHEMA_REVISION:
        return (
            f"{name} is at revision {stamp}, made by a newer version of the router than this one,"
            f" which knows up to {SCHEMA_REVISION}; install that version, or restore a backup"
        )
    state = (
        "has no tables yet" if stamp is None else f"is at revision {stamp}, not {SCHEMA_REVISION}"
    )
    return f"{name} {state}; run: router migrate"


def _database_name(url: URL) -> str:
    return f"the database {url.database}" if is_sqlite(url) else "the database"


def _driver_message(error: BaseException) -> str:
    """Return what the driver said, without statement, values or credentials."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines()
    return lines[0] if lines else type(cause).__name__
