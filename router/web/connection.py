"""A connection as the router bears it: whole requests in good time, and not too many at once.

uvicorn bounds the time between two requests and nothing else: without this, whoever connects and
sends a byte a minute, or a head without an end, is kept for ever.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from router.web.problems import RETRY_AFTER_S, ErrorBody
from router.web.refusal_log import RefusalLog, name_peer

REQUEST_TIMEOUT_S = 10.0
"""Seconds in which a request must be there, and in which an answer must be taken.

A longer body has as long for each `BYTES_PER_TIMEOUT` of it; the time the site takes to read is not
counted.
"""

BYTES_PER_TIMEOUT = 1024 * 1024
"""Bytes of a body that may take as long as a whole request."""

MAX_HEAD_BYTES = 64 * 1024
"""The most bytes the head of a request may have, to the next read; its trailers too."""

MAX_UNWANTED_REQUEST_BYTES = 16 * 1024 * 1024
"""The most bytes of one request that are read though nobody wants them any more."""


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection within bounds; `look` at it every second or so.

    What is refused here, what is no HTTP too, gets the body that every error has.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's own
        most: int,
        refusal_log: RefusalLog,
        **options: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        """Be one of at most so many."""
        super().__init__(*args, **options)
        self._most = most
        self._refusal_log = refusal_log
        self._size = 0
        self._is_head = True
        self._bytes_without_body = 0
        self._waits_since: float | None = None
        self._stuck_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request, if there is room for one more."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        if len(self.connections) > self._most:
            self.refuse(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too many connections; try again later",
                **{"retry-after": RETRY_AFTER_S},
            )

    def data_received(self, data: bytes) -> None:
        """Read on, up to the most that is read of a request."""
        self._unset_keepalive_if_required()
        self._bytes_without_body += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.refuse(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")
            return
        stretches = self._size // BYTES_PER_TIMEOUT
        self._size += len(data)
        if self._waits_since is not None and self._size // BYTES_PER_TIMEOUT > stretches:
            self._waits_since = self.loop.time()
        if self._is_head and self._size > MAX_HEAD_BYTES:
            self.refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request line and headers are larger than 64 KiB",
            )
        elif not self._is_head and self._bytes_without_body > MAX_HEAD_BYTES:
            self.refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the trailers and chunk extensions are larger than 64 KiB",
            )
        elif self._size > MAX_UNWANTED_REQUEST_BYTES and self.cycle.response_complete:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than 1 MiB")

    def _parse(self, data: bytes) -> None:
        """Parse on; an offer to speak another protocol is ignored (RFC 9110, 7.8).

        The parser takes the head with an offer for the whole request, and skips its body. So the
        head is parsed again without the offer, and the rest of the request after it. Raises
        `httptools.HttpParserError` for what is no HTTP, and for CONNECT.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                method = self.parser.get_method()
                if method == b"CONNECT":
                    raise httptools.HttpParserError("a proxy is asked for") from None
                version = self.parser.get_http_version().encode()
                lines = [b"%s: %s\r\n" % line for line in self.headers if line[0] != b"upgrade"]
                head = b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(lines))
                data = head + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._waits_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Have the head, unless it is parsed again without its offer of another protocol."""
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self._is_head = False
            self._bytes_without_body = 0
            self.headers = []  # a trailer goes here: it must not say who sends the request

    def on_body(self, body: bytes) -> None:
        """Have a part of the body."""
        self._bytes_without_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have the whole request, unless only its head is there."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._waits_since = None
        self._is_head = True
        self._size = 0

    def refuse(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        """Answer an error in the application's stead, unless it has begun to, and hang up.

        Who has not got the answer to an earlier request gets that one, and no other.
        """
        if self.transport.is_closing():
            return
        path = "" if self._is_head else self.scope["path"]
        self._refusal_log.note(path, name_peer(self.client), status, status.phrase.lower(), detail)
        cycle: RequestResponseCycle | None = self.cycle
        if self._is_head and cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            self.flow.pause_reading()
            self._waits_since = None
            return
        if cycle is None or not cycle.response_started or self._is_head:
            content = msgspec.json.encode(ErrorBody(message=status.phrase.lower(), detail=detail))
            told = {
                "content-type": "application/json",
                "content-length": str(len(content)),
                "connection": "close",
                **headers,
            }
            lines = "".join(f"{name}: {text}\r\n" for name, text in told.items())
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n"
            self.transport.write(head.encode() + content)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def close_if_stalled(self) -> None:
        """Give up on a request that is not there in time, and on a client that takes nothing."""
        now = self.loop.time()
        if self.transport.is_closing() or self.flow.write_paused:
            if self._stuck_since is None:
                self._stuck_since = now
            elif now - self._stuck_since > REQUEST_TIMEOUT_S:
                self.transport.abort()
            return
        self._stuck_since = None
        if self.flow.read_paused and self._waits_since is not None:
            self._waits_since = now
        if (
            self._waits_since is None
            or self.pipeline
            or now - self._waits_since <= REQUEST_TIMEOUT_S
        ):
            return
        if self._is_head and self._size == 0:
            self.transport.close()
        else:
            self.refuse(
                HTTPStatus.REQUEST_TIMEOUT, f"send the whole request within {REQUEST_TIMEOUT_S:g} s"
            )
