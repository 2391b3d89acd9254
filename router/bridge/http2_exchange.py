"""One request over HTTP/2 and its answer, and how their headers are written (RFC 9113, 8.3)."""

import asyncio
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from hpack import HeaderTuple, NeverIndexedHeaderTuple

from router.bridge.journey import Journey
from router.channel import Request, Response, TransportError

BODY = 1 << 20
"""Bytes of an answer that are read."""

_OURS = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
"""Headers that HTTP/2 says otherwise, or that are written here."""


class UnprocessedError(TransportError):
    """The server has done nothing with the request, so that another connection may carry it."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason, sent=False)


class Exchange:
    """A request that waits for its answer; `stream` is 0 until it is under way."""

    __slots__ = ("answer", "began", "headers", "journey", "pieces", "request", "stream", "unsent")

    def __init__(self, request: Request, journey: Journey) -> None:
        """Wait, on the running loop."""
        self.request = request
        self.journey = journey
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.stream = 0
        self.began = 0.0
        self.unsent = memoryview(request.body)
        self.headers: Iterable[tuple[str, str]] = ()
        self.pieces = bytearray()

    def conclude(self) -> None:
        """Give the answer to whoever waits."""
        headers: dict[str, str] = {}
        for name, value in self.headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        status = int(headers.pop(":status"))
        if not self.answer.done():
            self.answer.set_result(
                Response(status=status, headers=headers, body=bytes(self.pieces[:BODY]))
            )

    def fail(self, error: TransportError) -> None:
        """Tell whoever waits that no answer comes."""
        if not self.answer.done():
            self.answer.set_exception(error)


class HeaderWriter:
    """Writes the headers of one connection's requests.

    What a header said last time too goes into the table that both ends keep; what differs from
    request to request does not, for it would drive the rest out, as Apple notes:
    https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
    """

    def __init__(self) -> None:
        """Know of no request yet."""
        self._last: dict[str, str] = {}

    def write(self, request: Request) -> list[HeaderTuple]:
        """Return the headers of a request."""
        return [self._mark(name, value) for name, value in _list(request)]

    def _mark(self, name: str, value: str) -> HeaderTuple:
        if self._last.get(name) == value:
            return HeaderTuple(name, value)
        self._last[name] = value
        return NeverIndexedHeaderTuple(name, value)


def _list(request: Request) -> Iterator[tuple[str, str]]:
    url = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    yield ":method", request.method
    yield ":scheme", url.scheme
    yield ":authority", headers.get("host", url.netloc.rpartition("@")[2])
    yield ":path", f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    yield from ((name, value) for name, value in headers.items() if name not in _OURS)
    yield "content-length", str(len(request.body))
