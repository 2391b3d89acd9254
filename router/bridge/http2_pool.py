"""HTTP/2 connections, one to each server."""

import asyncio
import ssl
from urllib.parse import urlsplit

from msgspec import Struct

from router.bridge.http2_connection import Http2Connection
from router.bridge.http2_exchange import UnprocessedError
from router.bridge.journey import Journey
from router.channel import Request, Response, TransportError

PROTOCOL = "h2"
"""What a server that speaks HTTP/2 agrees to in the TLS handshake (RFC 9113, 3.2)."""


class _Server(Struct, frozen=True):
    host: str
    port: int
    verify: bool


class Http2Pool:
    """Carries requests over one connection to each server, however many at a time.

    One that ends is replaced with the next request. What the server of an old one says it has
    not looked at goes over a new one, once.
    """

    def __init__(self, *, trusting: ssl.SSLContext) -> None:
        """Connect to nothing yet; `trusting` says whose certificates are good."""
        self._trusting = trusting
        self._connections: dict[_Server, Http2Connection] = {}
        self._locks: dict[_Server, asyncio.Lock] = {}

    async def fetch(self, request: Request, journey: Journey) -> Response:
        """Return the answer; raises `TransportError`, or an OS error for no connection."""
        server = _locate(request)
        try:
            return await (await self._connect(server)).fetch(request, journey)
        except UnprocessedError:
            journey.sent = False
        return await (await self._connect(server)).fetch(request, journey)

    async def aclose(self) -> None:
        """Close every connection."""
        connections = [*self._connections.values()]
        self._connections.clear()
        await asyncio.gather(*(connection.aclose() for connection in connections))

    async def _connect(self, server: _Server) -> Http2Connection:
        kept = self._connections.get(server)
        if kept is not None and await kept.is_alive():
            return kept
        async with self._locks.setdefault(server, asyncio.Lock()):
            kept = self._connections.get(server)
            if kept is None or kept.leaving:
                kept = self._connections[server] = await self._open(server)
        return kept

    async def _open(self, server: _Server) -> Http2Connection:
        context = self._trusting if server.verify else _careless()
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(
            Http2Connection, server.host, server.port, ssl=context
        )
        try:
            _check_protocol(transport)
            await connection.ready
        except BaseException:
            connection.ready.cancel()
            transport.abort()
            raise
        return connection


def _check_protocol(transport: asyncio.Transport) -> None:
    if transport.get_extra_info("ssl_object").selected_alpn_protocol() != PROTOCOL:
        raise TransportError("the server does not speak HTTP/2", sent=False)


def _careless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([PROTOCOL])
    return context


def _locate(request: Request) -> _Server:
    url = urlsplit(request.url)
    if url.scheme != "https" or not url.hostname:
        raise TransportError("HTTP/2 goes over https alone", sent=False)
    return _Server(url.hostname, url.port or 443, request.verify)
