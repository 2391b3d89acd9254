"""The connection that writes: whole transactions, one after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from router.store.db.postgres import driver_of, limited

T = TypeVar("T")


class WriteConnection(Protocol):
    """One connection; a transaction that fails is rolled back, and the next one starts afresh."""

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives in a transaction of its own, once it is committed."""

    async def close(self) -> None:
        """Close the connection."""


class ThreadWriteConnection:
    """A line over a blocking driver, in a thread of its own.

    A transaction crosses threads once. An asyncio driver for SQLite crosses three or four times
    for each statement, which took three times the processor for a transaction of 16 rows.
    """

    def __init__(self, engine: Engine) -> None:
        """Connect when the first transaction comes."""
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._connection: Connection | None = None

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives in a transaction of its own, once it is committed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown()

    def _do(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                return work(self._connection)
        except BaseException as error:
            # What was opened while the disk could only be read stays so for good.
            if self._connection.invalidated or isinstance(error, OperationalError):
                self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(Exception):  # it is given up either way
                self._connection.close()
            self._connection = None
        self._engine.dispose()


class AsyncWriteConnection:
    """A line over an asyncio driver; a transaction of more than `limit` seconds is cut off."""

    def __init__(self, engine: AsyncEngine, limit: float) -> None:
        """Connect when the first transaction comes."""
        self._engine = engine
        self._limit = limit
        self._connection: AsyncConnection | None = None

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives in a transaction of its own, once it is committed."""
        connection = await self._connect()
        try:
            async with limited(connection, self._limit), connection.begin():
                return await connection.run_sync(work)
        except BaseException:
            if connection.invalidated or (await driver_of(connection)).is_closed():
                await self._drop()
            raise

    async def close(self) -> None:
        """Close the connection."""
        await self._drop()
        await self._engine.dispose()

    async def _connect(self) -> AsyncConnection:
        if self._connection is not None and (await driver_of(self._connection)).is_closed():
            await self._drop()
        if self._connection is None:
            self._connection = await self._engine.connect()
        return self._connection

    async def _drop(self) -> None:
        if self._connection is not None:
            with suppress(Exception):  # it is given up either way
                await self._connection.close()
            self._connection = None
