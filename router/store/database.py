"""The database: connections to read, and the one connection that writes."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from router.store.writer import Writer

T = TypeVar("T")


class Database:
    """An open database: `read` runs a query on a pool, `writer` is the only way to change it."""

    writer: Writer

    @classmethod
    async def open(cls, url: str, *, migrate: bool = False) -> "Database":
        """Return the database behind an SQLAlchemy URL, ready to use.

        With `migrate` an SQLite file is made or brought up to date first; any other database
        must have been migrated by `router migrate`. Raises `DatabaseUnusable` with the remedy
        when its schema is older or newer than this version, or it cannot be reached.
        """
        raise NotImplementedError

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what the query gives on a reading connection."""
        raise NotImplementedError

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives, once it is committed; raises `StoreUnavailable`."""
        raise NotImplementedError

    async def check(self) -> None:
        """Return when the database answers; raises `StoreUnavailable` when it does not."""
        raise NotImplementedError

    async def close(self) -> None:
        """Write what still waits, and close every connection."""
        raise NotImplementedError


async def migrate(url: str) -> str:
    """Bring the schema of a database up to date; return the revision it has now."""
    raise NotImplementedError
