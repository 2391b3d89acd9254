"""The client's side of HTTP/2 without a socket: bytes in, answers and bytes out (RFC 9113).

A fault of one stream ends that stream alone. Frames for a stream that has ended are read and
dropped: the server may have sent them before it received the end.
"""

from collections.abc import Callable
from http import HTTPStatus

from router.channel import TransportError
from router.transport.http2_frames import (
    ACK,
    DEFAULT_WINDOW_BYTES,
    END_HEADERS,
    END_STREAM,
    MAX_FRAME_BYTES,
    MAX_STREAM_ID,
    MAX_WINDOW_BYTES,
    PREFACE,
    Frame,
    FrameReader,
    FrameType,
    Http2ConnectionError,
    Http2ErrorCode,
    Http2StreamError,
    SettingsParameter,
    read_number,
    read_settings,
    strip_padding,
    write_frame,
    write_goaway,
    write_number,
    write_settings,
)
from router.transport.http2_headers import (
    MAX_HEADERS_BYTES,
    HeaderDecoder,
    HeaderEncoder,
    check_trailers,
    read_response_fields,
)
from router.transport.http2_stream import MAX_BODY_BYTES, Http2Stream, UnprocessedError

GOAWAY_REASON = "the server takes no more over this connection"

_WINDOW_UPDATE_BYTES = DEFAULT_WINDOW_BYTES // 2
"""Bytes of answers after which a WINDOW_UPDATE tells the server to send more."""

_MAX_CONTINUATIONS = 64
"""Frames of one header block; more is an attack: https://kb.cert.org/vuls/id/421644"""


class Http2Session:
    """The state of one connection; the caller moves the bytes.

    `start` begins a stream and `receive` ends it; after either, the caller writes the bytes of
    `data_to_send`. The first bytes are the preface and the settings of a client.
    """

    def __init__(self) -> None:
        self.streams: dict[int, Http2Stream] = {}
        """The streams that have not ended, by their id."""
        self.is_ready = False
        """Whether the server's SETTINGS have arrived."""
        self.is_closing = False
        """Whether the connection takes no further requests."""
        self.has_answered = False
        """Whether the server has answered any request."""
        self.pongs = 0
        """Answers to pings since the caller last set it to 0."""
        self.last_written_stream = 0
        """The highest stream of which `data_to_send` has returned bytes: none above it is sent."""
        self._max_concurrent = MAX_STREAM_ID
        self._initial_window = DEFAULT_WINDOW_BYTES
        self._max_frame = MAX_FRAME_BYTES
        self._window = DEFAULT_WINDOW_BYTES
        self._consumed = 0
        self._next_stream = 1
        self._blocked: dict[int, Http2Stream] = {}
        self._header_block: tuple[Frame, list[bytes]] | None = None
        self._reader = FrameReader()
        self._encoder = HeaderEncoder()
        self._decoder = HeaderDecoder()
        settings = {
            SettingsParameter.ENABLE_PUSH: 0,
            SettingsParameter.MAX_HEADER_LIST_SIZE: MAX_HEADERS_BYTES,
        }
        self._output = [PREFACE, write_settings(settings)]
        self._handlers: dict[int, Callable[[Frame], None]] = {
            FrameType.DATA: self._on_data,
            FrameType.HEADERS: self._on_headers,
            FrameType.PRIORITY: self._on_priority,
            FrameType.RST_STREAM: self._on_reset,
            FrameType.SETTINGS: self._on_settings,
            FrameType.PUSH_PROMISE: self._reject_frame,
            FrameType.PING: self._on_ping,
            FrameType.GOAWAY: self._on_goaway,
            FrameType.WINDOW_UPDATE: self._on_window_update,
            FrameType.CONTINUATION: self._reject_frame,
        }

    @property
    def can_start(self) -> bool:
        """Whether the server takes one more concurrent request."""
        return not self.is_closing and len(self.streams) < self._max_concurrent

    def start(self, http2_stream: Http2Stream, now: float) -> None:
        """Send a request; a request that cannot be encoded fails alone."""
        if self._next_stream > MAX_STREAM_ID:
            self.is_closing = True
            http2_stream.fail(UnprocessedError(GOAWAY_REASON))
            return
        try:
            block = self._encoder.encode(http2_stream.request)
        except ValueError:
            http2_stream.fail(TransportError("the request is invalid", sent=False))
            return
        http2_stream.stream_id, http2_stream.started_at = self._next_stream, now
        http2_stream.window = self._initial_window
        http2_stream.progress.sent = True
        self._next_stream += 2
        self.streams[http2_stream.stream_id] = http2_stream
        self._write_headers(http2_stream.stream_id, block, end=not http2_stream.unsent)
        if http2_stream.unsent:
            self._blocked[http2_stream.stream_id] = http2_stream
            self._write_bodies()

    def cancel(self, http2_stream: Http2Stream) -> None:
        """End a stream whose answer nobody waits for."""
        self._reset_stream(http2_stream.stream_id, Http2ErrorCode.CANCEL)

    def ping(self) -> None:
        """Ask the server for a sign of life; `pongs` counts its answers."""
        self._output.append(write_frame(FrameType.PING, 0, 0, bytes(8)))

    def send_goaway(self, code: Http2ErrorCode = Http2ErrorCode.NO_ERROR) -> None:
        """Tell the server that the connection ends, and take no further requests."""
        self.is_closing = True
        self._output.append(write_goaway(code))

    def receive(self, data: bytes) -> None:
        """Act on bytes of the server; raises `Http2ConnectionError` where they are not HTTP/2.

        Frames before the fault take effect.
        """
        for frame in self._reader.read(data):
            if not self.is_ready and (frame.kind != FrameType.SETTINGS or frame.flags & ACK):
                raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
            if self._header_block is not None:
                self._on_continuation(frame)
            elif handler := self._handlers.get(frame.kind):
                try:
                    handler(frame)
                except Http2StreamError as fault:
                    self._fail_stream(frame.stream_id, fault)

    def data_to_send(self) -> bytes:
        """Return the bytes to write, and drop them here."""
        if not self._output:
            return b""
        self.last_written_stream = self._next_stream - 2
        data = b"".join(self._output)
        self._output.clear()
        return data

    def _write_headers(self, stream_id: int, block: bytes, *, end: bool) -> None:
        kind, flags = FrameType.HEADERS, END_STREAM if end else 0
        while len(block) > self._max_frame:
            piece, block = block[: self._max_frame], block[self._max_frame :]
            self._output.append(write_frame(kind, flags, stream_id, piece))
            kind, flags = FrameType.CONTINUATION, 0
        self._output.append(write_frame(kind, flags | END_HEADERS, stream_id, block))

    def _write_bodies(self) -> None:
        """Send as much of the bodies as the windows of the streams and the connection allow."""
        for http2_stream in [*self._blocked.values()]:
            while http2_stream.unsent:
                size = min(self._window, http2_stream.window, self._max_frame)
                if size <= 0:
                    break
                piece, http2_stream.unsent = http2_stream.unsent[:size], http2_stream.unsent[size:]
                http2_stream.window -= len(piece)
                self._window -= len(piece)
                flags = 0 if http2_stream.unsent else END_STREAM
                frame = write_frame(FrameType.DATA, flags, http2_stream.stream_id, bytes(piece))
                self._output.append(frame)
            if not http2_stream.unsent:
                del self._blocked[http2_stream.stream_id]
            elif self._window <= 0:
                return

    def _end_stream(self, stream_id: int) -> Http2Stream | None:
        """Remove a stream and return it; None where it has ended before."""
        self._blocked.pop(stream_id, None)
        return self.streams.pop(stream_id, None)

    def _reset_stream(self, stream_id: int, code: Http2ErrorCode) -> None:
        if self._end_stream(stream_id) is not None:
            self._output.append(write_number(FrameType.RST_STREAM, stream_id, code))

    def _fail_stream(self, stream_id: int, fault: Http2StreamError) -> None:
        """End one stream after a fault of the server."""
        if http2_stream := self.streams.get(stream_id):
            self._reset_stream(stream_id, fault.code)
            http2_stream.fail(TransportError("the answer is malformed", sent=True))

    def _find_stream(self, frame: Frame) -> Http2Stream | None:
        """Return the stream of a frame, None where it has ended."""
        if frame.stream_id % 2 == 0 or frame.stream_id >= self._next_stream:
            raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
        return self.streams.get(frame.stream_id)

    def _finish_stream(self, http2_stream: Http2Stream) -> None:
        """Set the complete answer and end the stream, without the rest of the request's body."""
        http2_stream.finish()
        self.has_answered = True
        if http2_stream.unsent:
            self._reset_stream(http2_stream.stream_id, Http2ErrorCode.CANCEL)
        else:
            self._end_stream(http2_stream.stream_id)

    def _on_data(self, frame: Frame) -> None:
        http2_stream = self._find_stream(frame)
        data, size = strip_padding(frame), len(frame.payload)
        # Frames of an ended stream count too. Without them each cancelled request would shrink
        # the connection's window, until the server could send nothing.
        self._consumed += size
        if self._consumed >= _WINDOW_UPDATE_BYTES:
            self._output.append(write_number(FrameType.WINDOW_UPDATE, 0, self._consumed))
            self._consumed = 0
        if http2_stream is None:
            return
        if not http2_stream.status:
            raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
        http2_stream.pieces += data
        if frame.flags & END_STREAM:
            self._finish_stream(http2_stream)
        elif len(http2_stream.pieces) >= MAX_BODY_BYTES:
            http2_stream.finish()
            self._reset_stream(http2_stream.stream_id, Http2ErrorCode.CANCEL)
        else:
            http2_stream.consumed += size
            if http2_stream.consumed >= _WINDOW_UPDATE_BYTES:
                stream_id = http2_stream.stream_id
                self._output.append(
                    write_number(FrameType.WINDOW_UPDATE, stream_id, http2_stream.consumed)
                )
                http2_stream.consumed = 0

    def _on_headers(self, frame: Frame) -> None:
        self._find_stream(frame)
        block = strip_padding(frame)
        if frame.flags & END_HEADERS:
            self._on_header_block(frame, block)
        else:
            self._header_block = frame, [block]

    def _on_continuation(self, frame: Frame) -> None:
        """Add to a header block, which no other frame may interrupt (6.10)."""
        assert self._header_block is not None  # noqa: S101 - the caller has looked
        first, pieces = self._header_block
        if frame.kind != FrameType.CONTINUATION or frame.stream_id != first.stream_id:
            raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
        pieces.append(frame.payload)
        if len(pieces) > _MAX_CONTINUATIONS:
            raise Http2ConnectionError(Http2ErrorCode.ENHANCE_YOUR_CALM)
        if frame.flags & END_HEADERS:
            self._header_block = None
            try:
                self._on_header_block(first, b"".join(pieces))
            except Http2StreamError as fault:
                self._fail_stream(first.stream_id, fault)

    def _on_header_block(self, frame: Frame, block: bytes) -> None:
        """Read a header block, also of an ended stream: the decoder's table depends on each."""
        fields = self._decoder.decode(block)
        http2_stream = self.streams.get(frame.stream_id)
        if http2_stream is None:
            return
        is_end = bool(frame.flags & END_STREAM)
        if http2_stream.status:
            check_trailers(fields)
            if not is_end:
                raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
            self._finish_stream(http2_stream)
            return
        status, headers = read_response_fields(fields)
        if status < HTTPStatus.OK:
            if is_end or status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
            return
        http2_stream.status, http2_stream.headers = status, headers
        if is_end:
            self._finish_stream(http2_stream)

    def _on_priority(self, frame: Frame) -> None:
        if frame.stream_id == 0:
            raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)

    def _on_reset(self, frame: Frame) -> None:
        self._find_stream(frame)
        code = read_number(frame.payload)
        http2_stream = self._end_stream(frame.stream_id)
        if http2_stream is None:
            return
        if code == Http2ErrorCode.REFUSED_STREAM:
            http2_stream.fail(_make_refusal(http2_stream, "the request was refused"))
        else:
            http2_stream.fail(TransportError("the request was reset", sent=True))

    def _on_settings(self, frame: Frame) -> None:
        if frame.stream_id:
            raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
        if frame.flags & ACK:
            if frame.payload:
                raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
            return
        for key, value in read_settings(frame.payload):
            self._apply_setting(key, value)
        self._output.append(write_frame(FrameType.SETTINGS, ACK, 0))
        self.is_ready = True
        self._write_bodies()

    def _apply_setting(self, key: int, value: int) -> None:
        match key:
            case SettingsParameter.HEADER_TABLE_SIZE:
                self._encoder.limit_table(value)
            case SettingsParameter.MAX_CONCURRENT_STREAMS:
                self._max_concurrent = value
            case SettingsParameter.INITIAL_WINDOW_SIZE:
                self._resize_windows(value)
            case SettingsParameter.MAX_FRAME_SIZE:
                if not MAX_FRAME_BYTES <= value < 1 << 24:
                    raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
                self._max_frame = value

    def _resize_windows(self, size: int) -> None:
        """Add the difference to each stream's window, which may become negative (6.9.2)."""
        if size > MAX_WINDOW_BYTES:
            raise Http2ConnectionError(Http2ErrorCode.FLOW_CONTROL_ERROR)
        for http2_stream in self.streams.values():
            http2_stream.window += size - self._initial_window
            if http2_stream.window > MAX_WINDOW_BYTES:
                raise Http2ConnectionError(Http2ErrorCode.FLOW_CONTROL_ERROR)
        self._initial_window = size

    def _on_ping(self, frame: Frame) -> None:
        if frame.stream_id:
            raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
        if len(frame.payload) != 8:  # noqa: PLR2004 - the size of a ping
            raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
        if frame.flags & ACK:
            self.pongs += 1
        else:
            self._output.append(write_frame(FrameType.PING, ACK, 0, frame.payload))

    def _on_goaway(self, frame: Frame) -> None:
        """Fail the streams above the server's last; the server still answers the others (6.8)."""
        if frame.stream_id:
            raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
        if len(frame.payload) < 8:  # noqa: PLR2004 - the least size of a GOAWAY
            raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
        last_stream_id = int.from_bytes(frame.payload[:4], "big") & MAX_STREAM_ID
        self.is_closing = True
        for http2_stream in [s for s in self.streams.values() if s.stream_id > last_stream_id]:
            self._end_stream(http2_stream.stream_id)
            http2_stream.fail(_make_refusal(http2_stream, GOAWAY_REASON))

    def _on_window_update(self, frame: Frame) -> None:
        """Enlarge a window and send bodies that waited for it."""
        http2_stream = self._find_stream(frame) if frame.stream_id else None
        increment = read_number(frame.payload) & MAX_WINDOW_BYTES
        if frame.stream_id == 0:
            self._window += increment
            if not increment or self._window > MAX_WINDOW_BYTES:
                raise Http2ConnectionError(
                    Http2ErrorCode.FLOW_CONTROL_ERROR
                    if increment
                    else Http2ErrorCode.PROTOCOL_ERROR
                )
        elif http2_stream is not None:
            http2_stream.window += increment
            if not increment or http2_stream.window > MAX_WINDOW_BYTES:
                raise Http2StreamError(
                    Http2ErrorCode.FLOW_CONTROL_ERROR
                    if increment
                    else Http2ErrorCode.PROTOCOL_ERROR
                )
        self._write_bodies()

    def _reject_frame(self, frame: Frame) -> None:  # noqa: ARG002 - a handler like the others
        """End a connection on which a frame came that a client has not asked for."""
        raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)


def _make_refusal(http2_stream: Http2Stream, reason: str) -> TransportError:
    """Return the error of a refused request; a server that began to answer has processed it."""
    if http2_stream.status:
        return TransportError("the answer is incomplete", sent=True)
    return UnprocessedError(reason)
