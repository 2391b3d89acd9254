"""The HTTP server under the site: uvicorn, told when to stop and never by itself."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from litestar.types import ASGIApp

BACKLOG = 2048


class ListenError(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises `ListenError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        message = f"cannot listen on {host} port {port}: {error.strerror}"
        raise ListenError(f"{message}; set ROUTER_HOST and ROUTER_PORT") from error
    # Connections inherit it. Asyncio sets it on sockets made for TCP by name only, and without
    # it each answer waits 40 ms for the client's acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Server(uvicorn.Server):
    """A server of one site on one socket; `listening` is set once it answers.

    It leaves signals alone: the router has more to end than a server.
    """

    def __init__(self, site: ASGIApp, *, grace: float) -> None:
        """Serve a site; requests have `grace` seconds to end when it stops."""
        config = uvicorn.Config(
            site,
            loop="none",
            http="httptools",
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
