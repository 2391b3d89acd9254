"""Frames of HTTP/2, read from and written to bytes (RFC 9113, 4 and 6)."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

MAX_FRAME_BYTES = 16_384
"""Bytes that the payload of a frame holds, until a peer allows more; the router never does."""

MAX_WINDOW_BYTES = 2**31 - 1
"""Bytes that a flow-control window holds at most."""

MAX_STREAM_ID = 2**31 - 1
"""The highest number a stream may have."""

DEFAULT_WINDOW_BYTES = 65_535
"""Bytes of a flow-control window before anything else is agreed."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The first bytes of a client."""

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FIELDS = 0x20

_FRAME_HEADER = Struct(">BHBBI")
_FRAME_HEADER_BYTES = _FRAME_HEADER.size
_STREAM_MASK = 0x7FFF_FFFF


class FrameType(IntEnum):
    """The types of frames."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Http2ErrorCode(IntEnum):
    """Why a stream or a connection ends (RFC 9113, 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class SettingsParameter(IntEnum):
    """The parameters of SETTINGS that a client needs (RFC 9113, 6.5.2)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Http2ConnectionError(Exception):
    """The peer breaks the protocol in a way that ends the connection (RFC 9113, 5.4.1)."""

    def __init__(self, code: Http2ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class Http2StreamError(Exception):
    """The peer breaks the protocol in a way that ends one stream alone (RFC 9113, 5.4.2)."""

    def __init__(self, code: Http2ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class Frame(NamedTuple):
    """One frame as it was received; the type may be unknown."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


class FrameReader:
    """Splits received bytes into frames; the reads need not end where frames do."""

    def __init__(self) -> None:
        self._received = bytearray()

    def read(self, data: bytes) -> Iterator[Frame]:
        """Yield each complete frame; raises `Http2ConnectionError` for one that is too long.

        What follows an error is not read.
        """
        received = self._received
        received += data
        start = 0
        try:
            while len(received) - start >= _FRAME_HEADER_BYTES:
                high, low, kind, flags, stream_id = _FRAME_HEADER.unpack_from(received, start)
                size = high << 16 | low
                if size > MAX_FRAME_BYTES:
                    raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
                end = start + _FRAME_HEADER_BYTES + size
                if len(received) < end:
                    return
                payload = bytes(received[start + _FRAME_HEADER_BYTES : end])
                start = end
                yield Frame(kind, flags, stream_id & _STREAM_MASK, payload)
        finally:
            del received[:start]


def write_frame(kind: FrameType, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame as bytes."""
    size = len(payload)
    return _FRAME_HEADER.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


def write_settings(values: dict[SettingsParameter, int]) -> bytes:
    """Return a SETTINGS frame."""
    payload = b"".join(
        key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items()
    )
    return write_frame(FrameType.SETTINGS, 0, 0, payload)


def write_number(kind: FrameType, stream_id: int, number: int) -> bytes:
    """Return a frame whose payload is one number: RST_STREAM or WINDOW_UPDATE."""
    return write_frame(kind, 0, stream_id, number.to_bytes(4, "big"))


def write_goaway(code: Http2ErrorCode) -> bytes:
    """Return the GOAWAY of a client, which has taken no stream of the server's."""
    return write_frame(FrameType.GOAWAY, 0, 0, bytes(4) + code.to_bytes(4, "big"))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Return the parameters of a SETTINGS frame in their order, also the unknown ones."""
    if len(payload) % 6:
        raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
    return [
        (
            int.from_bytes(payload[start : start + 2], "big"),
            int.from_bytes(payload[start + 2 : start + 6], "big"),
        )
        for start in range(0, len(payload), 6)
    ]


def read_number(payload: bytes) -> int:
    """Return the number that is a frame's whole payload."""
    if len(payload) != 4:  # noqa: PLR2004 - the size of the number
        raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
    return int.from_bytes(payload, "big")


def strip_padding(frame: Frame) -> bytes:
    """Return the payload of DATA or HEADERS without padding and priority fields."""
    payload = frame.payload
    start, end = 0, len(payload)
    if frame.flags & PADDED:
        if not payload:
            raise Http2ConnectionError(Http2ErrorCode.FRAME_SIZE_ERROR)
        start, end = 1, end - payload[0]
    if frame.kind == FrameType.HEADERS and frame.flags & PRIORITY_FIELDS:
        start += 5
    if start > end:
        raise Http2ConnectionError(Http2ErrorCode.PROTOCOL_ERROR)
    return payload[start:end] if start or end != len(payload) else payload
