"""A server of HTTP/2 as a model: it checks what the client writes, and writes any legal frame.

Frames are read and written by `hyperframe`, which the router does not use.
"""

from collections.abc import Callable
from typing import cast

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from router.transport.http2_frames import PREFACE

WINDOW = 65_535
REFUSED = 7


class Stream:
    """A stream as the server sees it."""

    def __init__(self, name: int, window: int, body: bytes) -> None:
        self.name = name
        self.window = window
        self.expected = body
        self.body = b""
        self.is_whole = False
        """Whether the client has sent its request to the end."""
        self.status = 0
        self.answer = b""
        self.room = WINDOW
        """Bytes of the answer that the client has room for."""
        self.end = ""
        """`answered`, `refused`, `reset` or `cancelled`; empty while it is open."""


class ModelServer:
    """The server's end of one connection; `written` collects what it says."""

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = {}
        self.last_written_stream = bytearray()
        self.pings = self.pongs = 0
        self.room = WINDOW
        """Bytes of answers that the client has room for."""
        self.last: int | None = None
        self.bodies: Callable[[int], bytes] = lambda _: b""
        self._received = b""
        self._is_greeted = False
        self._max_concurrent = 2**31
        self._initial_window = 65_535
        self._window = 65_535
        self._max_frame = 16_384
        self._unacknowledged: list[dict[int, int]] = []
        self._block: tuple[int, bool, bytes] | None = None
        self._decoder = hpack.Decoder()
        self._encoder = hpack.Encoder()

    @property
    def open(self) -> list[int]:
        """The streams that are neither answered nor ended by either side."""
        return [number for number, stream in self.streams.items() if not stream.end]

    def say(self, frame: Frame) -> None:
        self.last_written_stream += frame.serialize()

    # What the server says

    def set(self, settings: dict[int, int]) -> None:
        """Change settings; the client is held to them once it has acknowledged them."""
        self._unacknowledged.append(settings)
        self.say(SettingsFrame(0, settings=settings))

    def give_room(self, number: int, size: int) -> None:
        """Open a window, the connection's or a stream's."""
        if number == 0:
            self._window += size
        else:
            self.streams[number].window += size
        self.say(WindowUpdateFrame(number, window_increment=size))

    def send_headers(
        self, number: int, fields: list[tuple[str, str]], *, end: bool, cut: int, padding: int
    ) -> None:
        """Send a header block in pieces of `cut` bytes."""
        block = self._encoder.encode(fields)
        first = HeadersFrame(number, data=block[:cut])
        if padding:
            first.flags.add("PADDED")
            first.pad_length = padding
        if end:
            first.flags.add("END_STREAM")
            self.streams[number].end = "answered"
        pieces = [block[start : start + cut] for start in range(cut, len(block), cut)]
        frames = [first, *(ContinuationFrame(number, data=piece) for piece in pieces)]
        frames[-1].flags.add("END_HEADERS")
        for frame in frames:
            self.say(frame)

    def send_data(self, number: int, data: bytes, *, end: bool, padding: int) -> None:
        """Send DATA, which the client may have stopped to wait for, as far as it has room."""
        stream = self.streams[number]
        size = max(0, min(len(data), stream.room - padding - 1, self.room - padding - 1))
        end, data = end and size == len(data), data[:size]
        frame = DataFrame(number, data=data)
        if padding:
            frame.flags.add("PADDED")
            frame.pad_length = padding
            size += 1 + padding
        if size > min(stream.room, self.room):
            return
        stream.room -= size
        self.room -= size
        stream.answer += data
        if end:
            frame.flags.add("END_STREAM")
            stream.end = "answered"
        self.say(frame)

    def reset(self, number: int, code: int) -> None:
        stream = self.streams[number]
        if not stream.end:
            stream.end = "refused" if code == REFUSED and not stream.status else "reset"
        self.say(RstStreamFrame(number, error_code=code))

    def go_away(self, last: int, code: int) -> None:
        """Take nothing after a stream; a second word may lower it."""
        self.last = last if self.last is None else min(last, self.last)
        self.say(GoAwayFrame(0, last_stream_id=self.last, error_code=code))
        self._refuse_late()

    def _refuse_late(self) -> None:
        for number in self.open:
            if self.last is not None and number > self.last:
                self.streams[number].end = "reset" if self.streams[number].status else "refused"

    def ping(self) -> None:
        self.pings += 1
        self.say(PingFrame(0, opaque_data=b"12345678"))

    def say_something_unknown(self, number: int) -> None:
        self.last_written_stream += b"\0\0\x08\xbe\xff" + number.to_bytes(4, "big") + b"anything"
        self.say(PriorityFrame(max(1, number), depends_on=0, stream_weight=7, exclusive=False))

    # What the client says

    def hear(self, data: bytes) -> None:
        """Check everything that the client has written."""
        self._received += data
        if not self._is_greeted:
            if len(self._received) < len(PREFACE):
                return
            assert self._received.startswith(PREFACE)
            self._received = self._received[len(PREFACE) :]
            self._is_greeted = True
        while len(self._received) >= 9:
            frame, size = Frame.parse_frame_header(memoryview(self._received[:9]))
            assert size <= self._max_frame
            assert len(self._received) >= 9 + size, "frames are written whole"
            frame.parse_body(memoryview(self._received[9 : 9 + size]))
            self._received = self._received[9 + size :]
            self._check(frame)

    def _check(self, frame: Frame) -> None:
        number = frame.stream_id
        if self._block is not None:
            assert isinstance(frame, ContinuationFrame)
        match frame:
            case SettingsFrame() if "ACK" in frame.flags:
                self._acknowledge(self._unacknowledged.pop(0))
            case HeadersFrame():
                assert number % 2 == 1
                assert number > max(self.streams, default=0)
                self._take_block(number, "END_STREAM" in frame.flags, frame)
            case ContinuationFrame():
                assert self._block is not None
                self._take_block(*self._block[:2], frame)
            case DataFrame():
                stream = self.streams[number]
                assert not stream.is_whole
                stream.window -= len(frame.data)
                self._window -= len(frame.data)
                assert self._window >= 0, "the connection's window was overrun"
                assert stream.window >= 0, "a stream's window was overrun"
                stream.body += frame.data
                stream.is_whole = "END_STREAM" in frame.flags
                assert not stream.is_whole or stream.body == stream.expected
            case RstStreamFrame():
                stream = self.streams[number]
                stream.end = stream.end or "cancelled"
            case WindowUpdateFrame() if number == 0:
                self.room += frame.window_increment
                assert self.room <= WINDOW
            case WindowUpdateFrame():
                self.streams[number].room += frame.window_increment
                assert self.streams[number].room <= WINDOW
            case PingFrame():
                assert "ACK" in frame.flags
                self.pongs += 1

    def _take_block(self, number: int, end: bool, frame: Frame) -> None:
        before = b"" if self._block is None else self._block[2]
        block = before + cast(HeadersFrame | ContinuationFrame, frame).data
        if "END_HEADERS" not in frame.flags:
            self._block = number, end, block
            return
        self._block = None
        decoded = self._decoder.decode(block, raw=True)
        fields = {field.decode(): value.decode() for field, value in decoded}
        assert fields[":method"] == "POST"
        name = int(fields[":path"][1:])
        body = self.bodies(name)
        assert fields["content-length"] == str(len(body))
        self.streams[number] = stream = Stream(name, self._initial_window, body)
        stream.is_whole = end
        assert len(self.open) <= self._max_concurrent
        self._refuse_late()

    def _acknowledge(self, settings: dict[int, int]) -> None:
        for key, value in settings.items():
            match key:
                case 1:
                    self._decoder.max_allowed_table_size = value
                case 3:
                    self._max_concurrent = value
                case 4:
                    for stream in self.streams.values():
                        stream.window += value - self._initial_window
                    self._initial_window = value
                case 5:
                    self._max_frame = value
