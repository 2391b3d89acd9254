"""A connection to a server through an HTTP proxy, by CONNECT (RFC 9110, 9.3.6)."""

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import TypeVar, cast

from router.channel import TransportError
from router.settings import Proxy

PROXY_UNREACHABLE = "the proxy is unreachable"
PROXY_REFUSED = "the proxy refused the connection"

_MAX_HEAD_BYTES = 16_384
_SUCCESS_LINE = re.compile(rb"HTTP/1\.[01] 2[0-9]{2}(?: |\r|$)")

P = TypeVar("P", bound=asyncio.Protocol)


async def connect_through(
    proxy: Proxy, make_protocol: Callable[[], P], host: str, port: int, context: ssl.SSLContext
) -> tuple[asyncio.Transport, P]:
    """Return a TLS connection to a server and its protocol.

    Raises `TransportError`, with `sent` false, where the proxy refuses the connection, and an OS
    error where the TLS handshake with the server fails.
    """
    loop = asyncio.get_running_loop()
    tunnel = _Tunnel(proxy, host, port)
    try:
        tcp_transport, _ = await loop.create_connection(lambda: tunnel, proxy.host, proxy.port)
    except OSError:
        raise TransportError(PROXY_UNREACHABLE, sent=False) from None
    try:
        await tunnel.opened
        protocol = make_protocol()
        tls_transport = await loop.start_tls(tcp_transport, protocol, context, server_hostname=host)
    except BaseException:
        # The abort below ends in `connection_lost`, which sets an error on a pending future. With
        # nobody left to retrieve that error, asyncio would log it.
        tunnel.opened.cancel()
        tcp_transport.abort()
        raise
    # `start_tls` replaces the protocol of the socket without a call of `connection_made`.
    transport = cast(asyncio.Transport, tls_transport)
    protocol.connection_made(transport)
    return transport, protocol


class _Tunnel(asyncio.Protocol):
    """Asks the proxy for a connection; `opened` is done when the proxy has answered."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head = b""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        self._request = "\r\n".join([*lines, "", ""]).encode("latin-1")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, end, surplus = self._head.partition(b"\r\n\r\n")
        # In TLS the client speaks first: bytes behind the head are not the server's.
        if end and not surplus and _SUCCESS_LINE.match(head):
            if not self.opened.done():
                self.opened.set_result(None)
        elif end or len(self._head) > _MAX_HEAD_BYTES:
            self._fail()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        self._fail()

    def _fail(self) -> None:
        if not self.opened.done():
            self.opened.set_exception(TransportError(PROXY_REFUSED, sent=False))
