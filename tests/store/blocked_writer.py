"""Holding the writer up inside a transaction."""

import asyncio
import threading

from sqlalchemy import Connection
from sqlalchemy.util import await_only

from router.store.db.database import Database


class Gate:
    """Work that waits inside its transaction until the gate is opened."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._opened_for_threads = threading.Event()

    def wait(self, connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self.entered.set)
        if connection.dialect.is_async:
            await_only(asyncio.wait_for(self._opened.wait(), 10))
        else:
            assert self._opened_for_threads.wait(10)

    def open(self) -> None:
        self._opened.set()
        self._opened_for_threads.set()


async def hold_up(database: Database) -> tuple[Gate, "asyncio.Task[None]"]:
    """Return a gate with the writer before it, and the task that ends when it is through."""
    gate = Gate()
    task = asyncio.create_task(database.write(gate.wait))
    await gate.entered.wait()
    return gate, task
