"""The connection that writes: whole transactions, one after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")


class Line(Protocol):
    """One connection; a transaction that fails is rolled back, and the next one starts afresh."""

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives in a transaction of its own, once it is committed."""

    async def close(self) -> None:
        """Close the connection."""


class ThreadLine:
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


class AsyncLine:
    """A line over an asyncio driver."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Connect when the first transaction comes."""
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives in a transaction of its own, once it is committed."""
        if self._connection is None:
            self._connection = await self._engine.connect()
        try:
            async with self._connection.begin():
                return await self._connection.run_sync(work)
        except BaseException:
            if self._connection.invalidated:
                await self.close()
            raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(Exception):  # it is given up either way
                await self._connection.close()
            self._connection = None
