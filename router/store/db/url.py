"""Where the database is: the URL that `ROUTER_DATABASE` holds."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from router.store.errors import DatabaseUnusable

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
"""The databases the router works with, and the driver for each."""

_EXAMPLES = "sqlite+aiosqlite:///router.db or postgresql+asyncpg://user:password@host/name"


def parse(url: str) -> URL:
    """Return a URL taken apart; raises `DatabaseUnusable` for one that cannot work."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseUnusable(
            f"ROUTER_DATABASE: is not a database URL; write {_EXAMPLES}"
        ) from error
    kind = parsed.drivername.split("+")[0]
    driver = DRIVERS.get("postgresql" if kind == "postgres" else kind)
    if parsed.drivername not in DRIVERS.values():
        remedy = f"write {driver}://" if driver else f"use SQLite or PostgreSQL: {_EXAMPLES}"
        begins = f"{parsed.drivername}://"
        raise DatabaseUnusable(f"ROUTER_DATABASE: cannot begin with {begins}; {remedy}")
    if is_sqlite(parsed) and parsed.database in {None, "", ":memory:"}:
        raise DatabaseUnusable(f"ROUTER_DATABASE: must name a file; write {_EXAMPLES}")
    return parsed


def is_sqlite(url: URL) -> bool:
    """Return whether the URL leads to an SQLite file."""
    return url.get_backend_name() == "sqlite"
