"""The HTTP server under the site: uvicorn, told when to stop and never by itself."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from litestar.types import ASGIApp

from router.web.connection import BoundedConnection
from router.web.refusal_log import RefusalLog

BACKLOG = 2048

MAX_CONNECTIONS = 10_000
"""The most connections at the same time."""

RESERVED_FILES = 128
"""Files that are left for the database, the providers and the log."""

_CHECK_INTERVAL_TICKS = 10
"""Look at the connections at every tenth tick, which is once a second."""


class ListenError(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises `ListenError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        message = f"cannot listen on {host} port {port}: {error.strerror}"
        raise ListenError(f"{message}; set ROUTER_HOST or ROUTER_PORT to a free address") from error
    # Connections inherit it. Asyncio sets it on sockets made for TCP by name only, and without
    # it each answer waits 40 ms for the client's acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _raise_file_limit() -> int:
    """Return how many connections may be open, after asking for as many files as are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        MAX_CONNECTIONS
        if soft == resource.RLIM_INFINITY
        else max(1, min(MAX_CONNECTIONS, soft - RESERVED_FILES))
    )


class HttpServer(uvicorn.Server):
    """A server of one site on one socket; `listening` is set once it answers.

    It leaves signals alone: the router has more to end than a server.
    """

    def __init__(self, site: ASGIApp, *, grace: float) -> None:
        """Serve a site; requests have `grace` seconds to end when it stops."""
        config = uvicorn.Config(
            site,
            loop="none",
            http=partial(  # type: ignore[arg-type]  # it makes one
                BoundedConnection, most=_raise_file_limit(), refusal_log=RefusalLog()
            ),
            ws="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=int(grace),
        )
        super().__init__(config)
        self.listening = asyncio.Event()

    async def on_tick(self, counter: int) -> bool:
        """Give up on connections that keep the router waiting."""
        if counter % _CHECK_INTERVAL_TICKS == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedConnection):
                    connection.close_if_stalled()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def stop(self) -> None:
        """Accept nothing more, and end once the requests in hand are answered."""
        self.should_exit = True
