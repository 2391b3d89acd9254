"""One HTTP/2 connection that carries many requests at a time.

`Http2Session` keeps the protocol's state and asyncio the socket; this module joins the two.
"""

import asyncio
from collections import deque
from typing import cast

from router.channel import Request, Response, TransportError
from router.transport.http2_frames import ConnectionFault
from router.transport.http2_session import SERVER_LEAVES, Http2Session
from router.transport.http2_stream import Exchange, UnprocessedError
from router.transport.request_progress import Journey

QUIET_S = 30.0
"""Time without a word from the server after which it is asked before it is trusted."""

PATIENCE_S = 2.0
"""Time that a server may take to say that it is there, or to close."""


class Http2Connection(asyncio.Protocol):
    """A connection to one server; `ready` once the server has said how much it takes."""

    def __init__(self) -> None:
        """Prepare; the loop says when the connection is made."""
        self._loop = asyncio.get_running_loop()
        self._session = Http2Session()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Exchange] = deque()
        self._flush_is_due = False
        self._heard = self._loop.time()
        self._pong: asyncio.Future[None] | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_leaving(self) -> bool:
        """Whether it takes no further requests."""
        return self._session.is_leaving

    @property
    def has_answered(self) -> bool:
        """Whether the server has answered any request."""
        return self._session.has_answered

    async def fetch(self, request: Request, journey: Journey) -> Response:
        """Return the answer; raises `UnprocessedError`, or another `TransportError`, for none.

        Where the server takes no more at a time, the request waits for its turn.
        """
        exchange = Exchange(request, journey)
        self._waiting.append(exchange)
        self._admit()
        try:
            return await exchange.answer
        finally:
            if exchange.stream in self._session.exchanges:
                self._abandon(exchange)

    async def is_alive(self) -> bool:
        """Return whether it can carry requests, asking the server after a silence."""
        if self.is_leaving or self._loop.time() - self._heard < QUIET_S:
            return not self.is_leaving
        if self._pong is None:
            self._pong = self._loop.create_future()
            self._session.ping()
            self._flush()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._pong)
        except TimeoutError:
            self.abort("the server is silent")
        return not self.is_leaving

    async def aclose(self) -> None:
        """Take leave; what still waits for an answer gets none."""
        if self._transport is None or self.lost.done():
            return
        self._session.leave()
        self._flush()
        self._end("the connection was closed")
        self._transport.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self.lost)
        except TimeoutError:
            self._transport.abort()

    def abort(self, reason: str) -> None:
        """Give the connection up at once."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what the server says."""
        self._heard = self._loop.time()
        try:
            self._session.receive(data)
        except ConnectionFault as fault:
            self._session.leave(fault.code)
            self._flush()
            self.abort("the answer is not HTTP/2")
            return
        if self._session.is_ready and not self.ready.done():
            self.ready.set_result(None)
        if self._pong is not None and self._session.pongs:
            self._session.pongs = 0
            self._pong.set_result(None)
            self._pong = None
        self._settle()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits."""
        cut = "the connection was closed without an answer"
        self._end(cut if exc is None else "the connection was reset")
        if not self.lost.done():
            self.lost.set_result(None)

    def _settle(self) -> None:
        """Send what waits, as far as the server takes more at a time; close when all is done."""
        self._admit()
        if self.is_leaving and not self._session.exchanges and self._transport is not None:
            self._flush()
            self._transport.close()

    def _admit(self) -> None:
        while self._waiting and (self.is_leaving or self._session.has_room):
            exchange = self._waiting.popleft()
            if self.is_leaving:
                exchange.fail(UnprocessedError(SERVER_LEAVES))
            elif not exchange.answer.done():
                self._session.start(exchange, self._loop.time())
                self._flush_soon()

    def _abandon(self, exchange: Exchange) -> None:
        """Wait for an answer no longer, and doubt a server that said nothing meanwhile."""
        self._session.cancel(exchange)
        if self._heard <= exchange.began:
            self._heard = -QUIET_S
        self._settle()
        self._flush_soon()

    def _end(self, reason: str) -> None:
        """Take no further requests, and fail those there are.

        A request of which nothing was written yet may go over another connection.
        """
        self._session.is_leaving = True
        for exchange in self._session.exchanges.values():
            if exchange.stream > self._session.written:
                exchange.fail(UnprocessedError(reason))
            else:
                exchange.fail(TransportError(reason, sent=True))
        self._session.exchanges.clear()
        self._admit()
        if not self.ready.done():
            self.ready.set_exception(TransportError(reason, sent=False))
        if self._pong is not None and not self._pong.done():
            self._pong.set_result(None)

    def _flush_soon(self) -> None:
        """Write once for all that is sent in this turn of the loop."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._transport is not None and not self._transport.is_closing():
            data = self._session.take_output()
            if data:
                self._transport.write(data)
