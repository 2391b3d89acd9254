"""HTTP/2 connections, one to each server."""

import asyncio
import ssl
from urllib.parse import urlsplit

from msgspec import Struct

from router.channel import Request, Response, TransportError
from router.settings import Proxies
from router.transport.http2_connection import Http2Connection
from router.transport.http2_stream import RequestProgress, UnprocessedError
from router.transport.proxy_tunnel import connect_through

ALPN_PROTOCOL = "h2"
"""The name of HTTP/2 in the TLS handshake (RFC 9113, 3.2)."""

REFUSAL_DELAYS_S = (0.0, 0.02, 0.1, 0.5)
"""Seconds before each retry of a request that the server has not processed."""


class _Http2Server(Struct, frozen=True):
    host: str
    port: int
    verify: bool


class Http2Pool:
    """Carries any number of concurrent requests over one connection to each server.

    The next request replaces a connection that has ended. A request that the server has not
    processed is sent again, over the same connection or a new one, after each of
    `REFUSAL_DELAYS_S`. A request that was never started moves to the next connection without a
    delay. `ssl_context` holds the trusted certificates.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext, proxies: Proxies) -> None:
        self._ssl_context = ssl_context
        self._proxies = proxies
        self._connections: dict[_Http2Server, Http2Connection] = {}
        self._locks: dict[_Http2Server, asyncio.Lock] = {}
        self._open: set[Http2Connection] = set()
        """Every connection that is not closed, also those that take no further requests."""

    async def fetch(self, request: Request, progress: RequestProgress) -> Response:
        """Return the answer; raises `TransportError`, or an OS error for no connection."""
        server = _server_of(request)
        delays = iter(REFUSAL_DELAYS_S)
        while True:
            connection = await self._connect(server)
            try:
                return await connection.fetch(request, progress)
            except UnprocessedError:
                only_waited, progress.sent = not progress.sent, False
                if only_waited and connection.has_answered:
                    # Servers close a connection after some number of requests. A connection that
                    # has answered others makes progress, so this loop ends without a count.
                    continue
                delay = next(delays, None)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def aclose(self) -> None:
        """Close every connection."""
        self._connections.clear()
        await asyncio.gather(*(connection.aclose() for connection in [*self._open]))

    async def _connect(self, server: _Http2Server) -> Http2Connection:
        connection = self._connections.get(server)
        if connection is not None and await connection.is_alive():
            return connection
        async with self._locks.setdefault(server, asyncio.Lock()):
            # Another request may have connected while this one waited for the lock. Without the
            # second look each request of a burst would open a connection of its own.
            connection = self._connections.get(server)
            if connection is None or connection.is_closing:
                connection = self._connections[server] = await self._open_connection(server)
        return connection

    async def _open_connection(self, server: _Http2Server) -> Http2Connection:
        transport, connection = await self._connect_socket(server)
        try:
            _check_protocol(transport)
            await connection.ready
        except BaseException:
            # The abort below ends in `connection_lost`, which sets an error on a pending future.
            # With nobody left to retrieve that error, asyncio would log it.
            connection.ready.cancel()
            transport.abort()
            raise
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    async def _connect_socket(
        self, server: _Http2Server
    ) -> tuple[asyncio.Transport, Http2Connection]:
        context = self._ssl_context if server.verify else _make_unverified_context()
        proxy = self._proxies.find("https", server.host, server.port)
        if proxy is not None:
            return await connect_through(proxy, Http2Connection, server.host, server.port, context)
        loop = asyncio.get_running_loop()
        return await loop.create_connection(Http2Connection, server.host, server.port, ssl=context)


def _check_protocol(transport: asyncio.Transport) -> None:
    if transport.get_extra_info("ssl_object").selected_alpn_protocol() != ALPN_PROTOCOL:
        raise TransportError("the server does not speak HTTP/2", sent=False)


def _make_unverified_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN_PROTOCOL])
    return context


def _server_of(request: Request) -> _Http2Server:
    url = urlsplit(request.url)
    if url.scheme != "https" or not url.hostname:
        raise TransportError("HTTP/2 goes over https alone", sent=False)
    return _Http2Server(url.hostname, url.port or 443, request.verify)
