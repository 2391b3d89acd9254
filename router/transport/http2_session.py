"""The client's side of HTTP/2 without a socket: bytes in, answers and bytes out (RFC 9113).

A fault that concerns one stream ends that stream alone, and what arrives for a stream that has
ended is read and dropped: the server may have sent it before it knew.
"""

from collections.abc import Callable

from router.channel import TransportError
from router.transport.http2_frames import (
    ACK,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    MAX_FRAME,
    MAX_STREAM,
    MAX_WINDOW,
    PREFACE,
    ConnectionFault,
    ErrorCode,
    Frame,
    FrameReader,
    Kind,
    Setting,
    StreamFault,
    read_number,
    read_settings,
    strip_padding,
    write_frame,
    write_goaway,
    write_number,
    write_settings,
)
from router.transport.http2_headers import (
    MAX_HEADERS,
    HeaderDecoder,
    HeaderEncoder,
    check_trailers,
    read_answer_fields,
)
from router.transport.http2_stream import BODY, Exchange, UnprocessedError

SERVER_LEAVES = "the server takes no more over this connection"

_UPDATE = DEFAULT_WINDOW // 2
"""Bytes of answers after which the server hears that there is room again."""

_MAX_CONTINUATIONS = 64
"""Frames that one header block may come in; more is an attack: https://kb.cert.org/vuls/id/421644"""

_FINAL = 200
_SWITCHING = 101


class Http2Session:
    """The state of one connection; the caller moves the bytes.

    `receive` settles the exchanges that it was given by `start`; `take_output` returns what is to
    be written after either.
    """

    def __init__(self) -> None:
        """Begin with the preface and the settings of a client."""
        self.exchanges: dict[int, Exchange] = {}
        """What is under way, by stream."""
        self.is_ready = False
        """Whether the server has said how much it takes."""
        self.is_leaving = False
        """Whether it takes no further requests."""
        self.has_answered = False
        """Whether the server has answered any request."""
        self.pongs = 0
        """Answers to pings so far."""
        self.written = 0
        """The highest stream of which anything was taken for writing."""
        self._max_concurrent = MAX_STREAM
        self._initial_window = DEFAULT_WINDOW
        self._max_frame = MAX_FRAME
        self._window = DEFAULT_WINDOW
        self._consumed = 0
        self._next_stream = 1
        self._blocked: dict[int, Exchange] = {}
        self._block: tuple[Frame, list[bytes]] | None = None
        self._reader = FrameReader()
        self._encoder = HeaderEncoder()
        self._decoder = HeaderDecoder()
        settings = {Setting.ENABLE_PUSH: 0, Setting.MAX_HEADER_LIST_SIZE: MAX_HEADERS}
        self._output = [PREFACE, write_settings(settings)]
        self._handlers: dict[int, Callable[[Frame], None]] = {
            Kind.DATA: self._take_data,
            Kind.HEADERS: self._take_headers,
            Kind.PRIORITY: self._take_priority,
            Kind.RST_STREAM: self._take_reset,
            Kind.SETTINGS: self._take_settings,
            Kind.PUSH_PROMISE: self._refuse,
            Kind.PING: self._take_ping,
            Kind.GOAWAY: self._take_goaway,
            Kind.WINDOW_UPDATE: self._take_window_update,
            Kind.CONTINUATION: self._refuse,
        }

    @property
    def has_room(self) -> bool:
        """Whether the server takes one request more at this time."""
        return not self.is_leaving and len(self.exchanges) < self._max_concurrent

    def start(self, exchange: Exchange, now: float) -> None:
        """Send a request; one that cannot be written fails, and others are not concerned."""
        if self._next_stream > MAX_STREAM:
            self.is_leaving = True
            exchange.fail(UnprocessedError(SERVER_LEAVES))
            return
        try:
            block = self._encoder.encode(exchange.request)
        except ValueError:
            exchange.fail(TransportError("the request cannot be sent as it is", sent=False))
            return
        exchange.stream, exchange.began = self._next_stream, now
        exchange.window = self._initial_window
        exchange.journey.sent = True
        self._next_stream += 2
        self.exchanges[exchange.stream] = exchange
        self._write_headers(exchange.stream, block, end=not exchange.unsent)
        if exchange.unsent:
            self._blocked[exchange.stream] = exchange
            self._write_bodies()

    def cancel(self, exchange: Exchange) -> None:
        """Wait for an answer no longer, and tell the server so."""
        self._reset(exchange.stream, ErrorCode.CANCEL)

    def ping(self) -> None:
        """Ask whether the server is there; `pongs` counts its answers."""
        self._output.append(write_frame(Kind.PING, 0, 0, bytes(8)))

    def leave(self, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """Say that no more is wanted of the server."""
        self.is_leaving = True
        self._output.append(write_goaway(code))

    def receive(self, data: bytes) -> None:
        """Act on what the server says; raises `ConnectionFault` where it is not HTTP/2.

        What came before the fault is acted on.
        """
        for frame in self._reader.read(data):
            if not self.is_ready and (frame.kind != Kind.SETTINGS or frame.flags & ACK):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
            if self._block is not None:
                self._take_continuation(frame)
            elif handler := self._handlers.get(frame.kind):
                try:
                    handler(frame)
                except StreamFault as fault:
                    self._fail(frame.stream, fault)

    def take_output(self) -> bytes:
        """Return what is to be written, and hold it no longer."""
        if not self._output:
            return b""
        self.written = self._next_stream - 2
        data = b"".join(self._output)
        self._output.clear()
        return data

    def _write_headers(self, stream: int, block: bytes, *, end: bool) -> None:
        kind, flags = Kind.HEADERS, END_STREAM if end else 0
        while len(block) > self._max_frame:
            piece, block = block[: self._max_frame], block[self._max_frame :]
            self._output.append(write_frame(kind, flags, stream, piece))
            kind, flags = Kind.CONTINUATION, 0
        self._output.append(write_frame(kind, flags | END_HEADERS, stream, block))

    def _write_bodies(self) -> None:
        """Send as much of the bodies as the server has room for."""
        for exchange in [*self._blocked.values()]:
            while exchange.unsent:
                size = min(self._window, exchange.window, self._max_frame)
                if size <= 0:
                    break
                piece, exchange.unsent = exchange.unsent[:size], exchange.unsent[size:]
                exchange.window -= len(piece)
                self._window -= len(piece)
                flags = 0 if exchange.unsent else END_STREAM
                frame = write_frame(Kind.DATA, flags, exchange.stream, bytes(piece))
                self._output.append(frame)
            if not exchange.unsent:
                del self._blocked[exchange.stream]
            elif self._window <= 0:
                return

    def _end(self, stream: int) -> Exchange | None:
        """Count a stream as ended, and return its exchange where that was not so before."""
        self._blocked.pop(stream, None)
        return self.exchanges.pop(stream, None)

    def _reset(self, stream: int, code: ErrorCode) -> None:
        if self._end(stream) is not None:
            self._output.append(write_number(Kind.RST_STREAM, stream, code))

    def _fail(self, stream: int, fault: StreamFault) -> None:
        """End one stream that the server made a mess of."""
        if exchange := self.exchanges.get(stream):
            self._reset(stream, fault.code)
            exchange.fail(TransportError("the answer is malformed", sent=True))

    def _find(self, frame: Frame) -> Exchange | None:
        """Return the exchange a frame is for, None where it has ended."""
        if frame.stream % 2 == 0 or frame.stream >= self._next_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
        return self.exchanges.get(frame.stream)

    def _conclude(self, exchange: Exchange) -> None:
        """Hand an answer over that is at its end; a body that is not yet out is not wanted."""
        exchange.conclude()
        self.has_answered = True
        if exchange.unsent:
            self._reset(exchange.stream, ErrorCode.CANCEL)
        else:
            self._end(exchange.stream)

    def _take_data(self, frame: Frame) -> None:
        exchange = self._find(frame)
        data, size = strip_padding(frame), len(frame.payload)
        self._consumed += size
        if self._consumed >= _UPDATE:
            self._output.append(write_number(Kind.WINDOW_UPDATE, 0, self._consumed))
            self._consumed = 0
        if exchange is None:
            return
        if not exchange.status:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR)
        exchange.pieces += data
        if frame.flags & END_STREAM:
            self._conclude(exchange)
        elif len(exchange.pieces) >= BODY:
            exchange.conclude()
            self._reset(exchange.stream, ErrorCode.CANCEL)
        else:
            exchange.consumed += size
            if exchange.consumed >= _UPDATE:
                stream = exchange.stream
                self._output.append(write_number(Kind.WINDOW_UPDATE, stream, exchange.consumed))
                exchange.consumed = 0

    def _take_headers(self, frame: Frame) -> None:
        self._find(frame)
        block = strip_padding(frame)
        if frame.flags & END_HEADERS:
            self._take_block(frame, block)
        else:
            self._block = frame, [block]

    def _take_continuation(self, frame: Frame) -> None:
        """Add to a header block, which nothing else may interrupt."""
        assert self._block is not None  # noqa: S101 - the caller has looked
        first, pieces = self._block
        if frame.kind != Kind.CONTINUATION or frame.stream != first.stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
        pieces.append(frame.payload)
        if len(pieces) > _MAX_CONTINUATIONS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM)
        if frame.flags & END_HEADERS:
            self._block = None
            try:
                self._take_block(first, b"".join(pieces))
            except StreamFault as fault:
                self._fail(first.stream, fault)

    def _take_block(self, frame: Frame, block: bytes) -> None:
        """Read a header block; also one that nobody waits for, since the table depends on it."""
        fields = self._decoder.decode(block)
        exchange = self.exchanges.get(frame.stream)
        if exchange is None:
            return
        is_end = bool(frame.flags & END_STREAM)
        if exchange.status:
            check_trailers(fields)
            if not is_end:
                raise StreamFault(ErrorCode.PROTOCOL_ERROR)
            self._conclude(exchange)
            return
        status, headers = read_answer_fields(fields)
        if status < _FINAL:
            if is_end or status == _SWITCHING:
                raise StreamFault(ErrorCode.PROTOCOL_ERROR)
            return
        exchange.status, exchange.headers = status, headers
        if is_end:
            self._conclude(exchange)

    def _take_priority(self, frame: Frame) -> None:
        if frame.stream == 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)

    def _take_reset(self, frame: Frame) -> None:
        self._find(frame)
        code = read_number(frame.payload)
        exchange = self._end(frame.stream)
        if exchange is None:
            return
        if code == ErrorCode.REFUSED_STREAM:
            exchange.fail(_refuse(exchange, "the request was refused"))
        else:
            exchange.fail(TransportError("the request was reset", sent=True))

    def _take_settings(self, frame: Frame) -> None:
        if frame.stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
        if frame.flags & ACK:
            if frame.payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR)
            return
        for key, value in read_settings(frame.payload):
            self._apply(key, value)
        self._output.append(write_frame(Kind.SETTINGS, ACK, 0))
        self.is_ready = True
        self._write_bodies()

    def _apply(self, key: int, value: int) -> None:
        match key:
            case Setting.HEADER_TABLE_SIZE:
                self._encoder.limit_table(value)
            case Setting.MAX_CONCURRENT_STREAMS:
                self._max_concurrent = value
            case Setting.INITIAL_WINDOW_SIZE:
                self._resize_windows(value)
            case Setting.MAX_FRAME_SIZE:
                if not MAX_FRAME <= value < 1 << 24:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
                self._max_frame = value
            case _:  # nothing that a client sends depends on the others
                pass

    def _resize_windows(self, size: int) -> None:
        """Give every open stream the difference, which may leave less than nothing (6.9.2)."""
        if size > MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR)
        for exchange in self.exchanges.values():
            exchange.window += size - self._initial_window
            if exchange.window > MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR)
        self._initial_window = size

    def _take_ping(self, frame: Frame) -> None:
        if frame.stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
        if len(frame.payload) != 8:  # noqa: PLR2004 - the size of a ping
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR)
        if frame.flags & ACK:
            self.pongs += 1
        else:
            self._output.append(write_frame(Kind.PING, ACK, 0, frame.payload))

    def _take_goaway(self, frame: Frame) -> None:
        """Give up what the server will not look at; the rest is still answered (6.8)."""
        if frame.stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)
        if len(frame.payload) < 8:  # noqa: PLR2004 - the least size of a GOAWAY
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR)
        last = int.from_bytes(frame.payload[:4], "big") & MAX_STREAM
        self.is_leaving = True
        for exchange in [e for stream, e in self.exchanges.items() if stream > last]:
            self._end(exchange.stream)
            exchange.fail(_refuse(exchange, SERVER_LEAVES))

    def _take_window_update(self, frame: Frame) -> None:
        """Make room for bodies."""
        exchange = self._find(frame) if frame.stream else None
        increment = read_number(frame.payload) & MAX_WINDOW
        if frame.stream == 0:
            self._window += increment
            if not increment or self._window > MAX_WINDOW:
                raise ConnectionFault(
                    ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
                )
        elif exchange is not None:
            exchange.window += increment
            if not increment or exchange.window > MAX_WINDOW:
                raise StreamFault(
                    ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
                )
        self._write_bodies()

    def _refuse(self, frame: Frame) -> None:  # noqa: ARG002 - a handler like the others
        """End a connection on which a frame came that a client has not asked for."""
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR)


def _refuse(exchange: Exchange, reason: str) -> TransportError:
    """Return why a server took no request; one that began to answer it has taken it."""
    if exchange.status:
        return TransportError("the answer broke off", sent=True)
    return UnprocessedError(reason)
