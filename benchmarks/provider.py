"""A provider on loopback, over TLS: it takes what it is sent, after a while."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import certifi

from tests.transport.certificate import make_authority, read_authority

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"

Arrived = Callable[[bytes], None]


class Provider:
    """Tells `arrived` of the body of each request, and answers after `latency` seconds."""

    def __init__(self) -> None:
        """Answer at once, and tell nobody."""
        self.arrived: Arrived = lambda _: None
        self.latency = 0.0
        self.body = b"{}"
        self.port = 0

    def take(self, transport: asyncio.Transport, body: bytes) -> None:
        """Answer one request."""
        self.arrived(body)
        asyncio.get_running_loop().call_later(self.latency, self._answer, transport)

    def _answer(self, transport: asyncio.Transport) -> None:
        if not transport.is_closing():
            transport.write(_HEAD % (len(self.body), self.body))


class _Connection(asyncio.Protocol):
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head)
        end = head + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) >= end and self._transport is not None:
            body, self._buffer = self._buffer[head + 4 : end], self._buffer[end:]
            self._provider.take(self._transport, body)


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """Run a provider on a free port."""
    provider = Provider()
    context, _ = make_authority()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(provider), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    async with server:
        provider.port = server.sockets[0].getsockname()[1]
        yield provider


def write_authorities(folder: Path) -> dict[str, str]:
    """Write down whom to trust; return the environment that makes OpenSSL and requests do so.

    Requests gets certifi's authorities too, as it would have them anyway.
    """
    own = read_authority()
    alone, bundle = folder / "own.pem", folder / "bundle.pem"
    alone.write_text(own, encoding="ascii")
    bundle.write_text(Path(certifi.where()).read_text(encoding="utf-8") + own, encoding="utf-8")
    return {"SSL_CERT_FILE": str(alone), "REQUESTS_CA_BUNDLE": str(bundle)}
