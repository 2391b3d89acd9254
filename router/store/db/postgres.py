"""The server of a PostgreSQL database: how connections to it behave, and when they are given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CONNECT_TIMEOUT_S = 5.0
"""Seconds a server has to let us in."""
LOCK_TIMEOUT_S = 5.0
"""Seconds a statement waits for what another process has locked."""
TIMEOUT_MARGIN_S = 2.0
"""Seconds that a server has, beyond the limit it was told, to say that it was reached."""


def open_server(url: URL, *, connections: int, limit: float, isolation: str) -> AsyncEngine:
    """Return an engine of so many connections at most, which the server ends by itself.

    It ends a statement after `limit` seconds, and a transaction in which nothing happens: what a
    process that stands still has locked is free again. 0 is no limit.
    """
    milliseconds = f"{limit * 1000:.0f}"
    engine = create_async_engine(
        url,
        isolation_level=isolation,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=limit or None,
        hide_parameters=True,  # an error is logged, tokens and texts are not
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "server_settings": {
                "application_name": "notification-router",
                "lock_timeout": f"{LOCK_TIMEOUT_S * 1000:.0f}",
                "statement_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
                "jit": "off",  # which takes longer than any statement of ours
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


@asynccontextmanager
async def limited(connection: AsyncConnection, limit: float) -> AsyncIterator[None]:
    """Cut a connection off when what is done over it takes too long: nobody answers any more.

    A cancelled statement would not do: its end is waited for over the same connection. SQLite,
    which nothing lies between, is left to itself, and 0 is no limit.
    """
    if connection.dialect.name != "postgresql" or not limit:
        yield
        return
    driver = await driver_of(connection)
    alarm = asyncio.get_running_loop().call_later(limit + TIMEOUT_MARGIN_S, driver.terminate)
    try:
        yield
    finally:
        alarm.cancel()


async def driver_of(connection: AsyncConnection) -> Any:  # noqa: ANN401 - asyncpg has no types
    """Return the driver's own connection; it knows when the server has closed it."""
    return (await connection.get_raw_connection()).driver_connection


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - as above
    """Let the pool open another connection in the place of one that was closed meanwhile."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
