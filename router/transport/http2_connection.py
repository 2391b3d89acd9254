"""One HTTP/2 connection that carries many requests at a time.

`Http2Session` keeps the protocol's state and asyncio the socket; this module joins the two.
"""

import asyncio
from collections import deque
from typing import cast

from router.channel import Request, Response, TransportError
from router.transport.http2_frames import Http2ConnectionError
from router.transport.http2_session import GOAWAY_REASON, Http2Session
from router.transport.http2_stream import Http2Stream, RequestProgress, UnprocessedError

PING_AFTER_SILENCE_S = 30.0
"""Silence of the server after which a ping precedes the next request."""

REPLY_TIMEOUT_S = 2.0
"""Time that a server may take to answer a ping, or to close."""


class Http2Connection(asyncio.Protocol):
    """A connection to one server; `ready` is done when the server's SETTINGS have arrived."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = Http2Session()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Http2Stream] = deque()
        self._flush_is_due = False
        self._received_at = self._loop.time()
        self._pong: asyncio.Future[None] | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_closing(self) -> bool:
        """Whether the connection takes no further requests."""
        return self._session.is_closing

    @property
    def has_answered(self) -> bool:
        """Whether the server has answered any request."""
        return self._session.has_answered

    async def fetch(self, request: Request, progress: RequestProgress) -> Response:
        """Return the answer; raises `UnprocessedError`, or another `TransportError`, for none.

        The request waits while the server takes no more concurrent streams.
        """
        http2_stream = Http2Stream(request, progress)
        self._waiting.append(http2_stream)
        self._start_waiting()
        try:
            return await http2_stream.answer
        finally:
            # A stream that is still here after the wait has lost its caller (timeout, cancelled
            # task). One that never started is skipped later, as its future is done.
            if http2_stream.stream_id in self._session.streams:
                self._cancel_stream(http2_stream)

    async def is_alive(self) -> bool:
        """Return whether the connection can carry requests; after a silence, ping the server."""
        if self.is_closing or self._loop.time() - self._received_at < PING_AFTER_SILENCE_S:
            return not self.is_closing
        if self._pong is None:
            self._pong = self._loop.create_future()
            self._session.ping()
            self._flush()
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                # All callers wait for one pong: the shield keeps it when one of them is cancelled.
                await asyncio.shield(self._pong)
        except TimeoutError:
            self.abort("the server is silent")
        return not self.is_closing

    async def aclose(self) -> None:
        """Send GOAWAY and close; requests without an answer fail."""
        if self._transport is None or self.closed.done():
            return
        self._session.send_goaway()
        self._flush()
        self._fail_all("the connection was closed")
        self._transport.close()
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await asyncio.shield(self.closed)
        except TimeoutError:
            self._transport.abort()

    def abort(self, reason: str) -> None:
        """Close the connection at once; requests without an answer fail."""
        self._fail_all(reason)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the preface and the client's settings."""
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Act on bytes of the server."""
        self._received_at = self._loop.time()
        try:
            self._session.receive(data)
        except Http2ConnectionError as fault:
            self._session.send_goaway(fault.code)
            self._flush()
            self.abort("the answer is not HTTP/2")
            return
        if self._session.is_ready and not self.ready.done():
            self.ready.set_result(None)
        if self._pong is not None and self._session.pongs:
            self._session.pongs = 0
            self._pong.set_result(None)
            self._pong = None
        self._start_or_close()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all requests without an answer."""
        self._fail_all(
            "the connection was closed without an answer"
            if exc is None
            else "the connection was reset"
        )
        if not self.closed.done():
            self.closed.set_result(None)

    def _start_or_close(self) -> None:
        """Start waiting requests as the server's limit allows; close after the last answer."""
        self._start_waiting()
        if self.is_closing and not self._session.streams and self._transport is not None:
            # A write after the close is dropped, and the last frames may be a GOAWAY or an ACK.
            self._flush()
            self._transport.close()

    def _start_waiting(self) -> None:
        while self._waiting and (self.is_closing or self._session.can_start):
            http2_stream = self._waiting.popleft()
            if self.is_closing:
                http2_stream.fail(UnprocessedError(GOAWAY_REASON))
            elif not http2_stream.answer.done():  # done already: its caller was cancelled
                self._session.start(http2_stream, self._loop.time())
                self._flush_soon()

    def _cancel_stream(self, http2_stream: Http2Stream) -> None:
        """Cancel a stream; after silence since its start, the next request pings the server."""
        self._session.cancel(http2_stream)
        if self._received_at <= http2_stream.started_at:
            self._received_at = -PING_AFTER_SILENCE_S
        self._start_or_close()
        self._flush_soon()

    def _fail_all(self, reason: str) -> None:
        """Take no further requests, and fail the started and the waiting ones.

        A request of which nothing was written yet may go over another connection: its error is
        `UnprocessedError`, which makes the pool send it again. Any other may have arrived.
        """
        self._session.is_closing = True
        for http2_stream in self._session.streams.values():
            if http2_stream.stream_id > self._session.last_written_stream:
                http2_stream.fail(UnprocessedError(reason))
            else:
                http2_stream.fail(TransportError(reason, sent=True))
        self._session.streams.clear()
        self._start_waiting()  # the connection is closing, so this fails each of them
        if not self.ready.done():
            self.ready.set_exception(TransportError(reason, sent=False))
        if self._pong is not None and not self._pong.done():
            self._pong.set_result(None)

    def _flush_soon(self) -> None:
        """Write at the end of this iteration of the loop: a burst of requests shares one write."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._transport is not None and not self._transport.is_closing():
            data = self._session.data_to_send()
            if data:
                self._transport.write(data)
