"""One HTTP/2 connection that carries many requests at a time (RFC 9113).

`h2` keeps the protocol's state and asyncio the socket; here is what joins the two.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from functools import singledispatchmethod
from typing import cast

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import NoAvailableStreamIDError, ProtocolError, StreamClosedError

from router.bridge.http2_exchange import BODY, Exchange, HeaderWriter, UnprocessedError
from router.bridge.journey import Journey
from router.channel import Request, Response, TransportError

QUIET = 30.0
"""Seconds without a word from the server after which it is asked before it is trusted."""

PATIENCE = 2.0
"""Seconds that a server may take to say that it is there, or to close."""

_CONFIG = H2Configuration(
    client_side=True,
    header_encoding="latin-1",
    normalize_outbound_headers=False,
    validate_outbound_headers=False,
)
"""The headers are written here, as they are to be."""

_LEFT = "the server takes no more over this connection"


class _Openness(H2ConnectionStateMachine):
    """Leaves the connection open at a GOAWAY: what came before it is still answered (6.8)."""

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        """Take note of what was sent or received."""
        return [] if input_ is ConnectionInputs.RECV_GOAWAY else super().process_input(input_)


class Http2Connection(asyncio.Protocol):
    """A connection to one server; `ready` once the server has said how much it takes."""

    def __init__(self) -> None:
        """Prepare; the loop says when the connection is made."""
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(_CONFIG)
        self._h2.state_machine = _Openness()
        self._transport: asyncio.Transport | None = None
        self._writer = HeaderWriter()
        self._waiting: deque[Exchange] = deque()
        self._underway: dict[int, Exchange] = {}
        self._flush_is_due = False
        self._heard = self._loop.time()
        self._pong: asyncio.Future[None] | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.leaving = False
        """Whether it takes no further requests."""

    async def fetch(self, request: Request, journey: Journey) -> Response:
        """Return the answer; raises `UnprocessedError`, or another `TransportError`, for none.

        Where the server takes no more at a time, it waits for its turn.
        """
        exchange = Exchange(request, journey)
        self._waiting.append(exchange)
        self._admit()
        try:
            return await exchange.answer
        finally:
            if exchange.stream in self._underway:
                self._abandon(exchange)

    async def is_alive(self) -> bool:
        """Return whether it can carry requests, asking the server after a silence."""
        if self.leaving or self._loop.time() - self._heard < QUIET:
            return not self.leaving
        if self._pong is None:
            self._pong = self._loop.create_future()
            self._h2.ping(bytes(8))
            self._flush()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._pong)
        except TimeoutError:
            self.abort("the server is silent")
        return not self.leaving

    async def aclose(self) -> None:
        """Take leave; what still waits for an answer gets none."""
        if self._transport is None or self.lost.done():
            return
        if not self.leaving:
            self._h2.close_connection()
            self._flush()
        self._end("the connection was closed")
        self._transport.close()
        try:
            async with asyncio.timeout(PATIENCE):
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
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what the server says."""
        self._heard = self._loop.time()
        self._flush()  # h2 forgets what is not out yet when the server takes its leave
        try:
            for event in self._h2.receive_data(data):
                self._heed(event)
        except ProtocolError:
            self._flush()
            self.abort("the answer is not HTTP/2")
            return
        self._admit()
        self._flush()
        if self.leaving and not self._underway and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits."""
        cut = "the connection was closed without an answer"
        self._end(cut if exc is None else "the connection was reset")
        if not self.lost.done():
            self.lost.set_result(None)

    @singledispatchmethod
    def _heed(self, event: Event) -> None:
        """Act on what the server said; most asks for no act."""

    @_heed.register
    def _(self, event: ResponseReceived) -> None:
        if exchange := self._underway.get(event.stream_id):
            exchange.headers = cast(Iterable[tuple[str, str]], event.headers)

    @_heed.register
    def _(self, event: DataReceived) -> None:
        self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if exchange := self._underway.get(event.stream_id):
            exchange.pieces += event.data
            if len(exchange.pieces) >= BODY:
                exchange.conclude()
                self._abandon(exchange)

    @_heed.register
    def _(self, event: StreamEnded) -> None:
        exchange = self._underway.get(event.stream_id)
        if exchange is None:
            return
        exchange.conclude()
        if exchange.unsent:
            self._abandon(exchange)
        else:
            del self._underway[exchange.stream]

    @_heed.register
    def _(self, event: StreamReset) -> None:
        refused = event.error_code == ErrorCodes.REFUSED_STREAM
        if exchange := self._underway.pop(event.stream_id, None):
            reason = "the request was refused" if refused else "the request was reset"
            error = UnprocessedError(reason) if refused else TransportError(reason, sent=True)
            exchange.fail(error)

    @_heed.register
    def _(self, event: ConnectionTerminated) -> None:
        self.leaving = True
        for stream in [s for s in self._underway if s > (event.last_stream_id or 0)]:
            self._underway.pop(stream).fail(UnprocessedError(_LEFT))

    @_heed.register
    def _(self, event: RemoteSettingsChanged) -> None:  # noqa: ARG002 - h2 has applied them
        if not self.ready.done():
            self.ready.set_result(None)
        self._send_bodies()

    @_heed.register
    def _(self, event: WindowUpdated) -> None:  # noqa: ARG002 - the same
        self._send_bodies()

    @_heed.register
    def _(self, event: PingAckReceived) -> None:  # noqa: ARG002 - there is one at a time
        if self._pong is not None:
            self._pong.set_result(None)
            self._pong = None

    def _admit(self) -> None:
        """Send what waits, as far as the server takes more at a time."""
        most = self._h2.remote_settings.max_concurrent_streams
        while self._waiting and (self.leaving or len(self._underway) < most):
            exchange = self._waiting.popleft()
            if self.leaving:
                exchange.fail(UnprocessedError(_LEFT))
            elif not exchange.answer.done():
                self._start(exchange)

    def _start(self, exchange: Exchange) -> None:
        try:
            exchange.stream = self._h2.get_next_available_stream_id()
        except NoAvailableStreamIDError:  # a thousand million requests
            self.leaving = True
            exchange.fail(UnprocessedError(_LEFT))
            return
        exchange.began = self._loop.time()
        self._underway[exchange.stream] = exchange
        headers = self._writer.write(exchange.request)
        self._h2.send_headers(exchange.stream, headers, end_stream=not exchange.unsent)
        exchange.journey.sent = True
        self._send_body(exchange)
        self._flush_soon()

    def _send_bodies(self) -> None:
        for exchange in self._underway.values():
            self._send_body(exchange)

    def _send_body(self, exchange: Exchange) -> None:
        """Send as much of a body as the server has room for."""
        while exchange.unsent:
            room = self._h2.local_flow_control_window(exchange.stream)
            size = min(room, self._h2.max_outbound_frame_size)
            if size <= 0:
                return
            piece, exchange.unsent = exchange.unsent[:size], exchange.unsent[size:]
            self._h2.send_data(exchange.stream, bytes(piece), end_stream=not exchange.unsent)

    def _abandon(self, exchange: Exchange) -> None:
        """Tell the server that an answer is waited for no longer; doubt one that said nothing."""
        self._underway.pop(exchange.stream, None)
        if self._heard <= exchange.began:
            self._heard = -QUIET
        if not self.lost.done():
            with suppress(StreamClosedError):  # the server may have ended it in the same breath
                self._h2.reset_stream(exchange.stream, ErrorCodes.CANCEL)
            self._admit()
            self._flush_soon()

    def _end(self, reason: str) -> None:
        """Take no further requests, and fail those there are."""
        self.leaving = True
        for exchange in self._underway.values():
            exchange.fail(TransportError(reason, sent=True))
        self._underway.clear()
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
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
