"""What a verb needs that works on the database of a router, running or not."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from router.cli.environment import fail, load_environment
from router.store.db.database import Database
from router.store.errors import CursorInvalid, DatabaseUnusable, StoreUnavailable

T = TypeVar("T")


def run_with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Return what the work gives on the database of the environment, opened and closed."""
    url = load_environment().database.reveal()

    async def run() -> T:
        database = await Database.open(url)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (DatabaseUnusable, StoreUnavailable, CursorInvalid) as error:
        fail(str(error))


def clock_time(epoch: float) -> str:
    """Return a time of the log as ISO 8601, to the second."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
