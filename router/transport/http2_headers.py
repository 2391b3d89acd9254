"""Header fields of requests and answers over HTTP/2 (RFC 9113, 8.2 and 8.3)."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from hpack import Decoder, Encoder, HeaderTuple, HPACKError, NeverIndexedHeaderTuple

from router.channel import Request
from router.transport.http2_frames import Http2ConnectionError, Http2ErrorCode, Http2StreamError

MAX_HEADERS_BYTES = 65_536
"""Bytes that the header fields of one answer take at most; a longer answer ends its stream."""

MAX_BLOCK_BYTES = 16 * MAX_HEADERS_BYTES
"""Bytes of a header block that are decoded even when its stream has ended: the table needs them.

More ends the connection, since a block of 64 KiB can stand for hundreds of megabytes.
"""

MAX_TABLE_BYTES = 4096
"""Bytes of the table of header fields that both ends keep (RFC 7541, 4.2)."""

_CONNECTION_FIELDS = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
"""Fields of HTTP/1.1 that a message of HTTP/2 must not have (RFC 9113, 8.2.2)."""

_ENTRY_OVERHEAD_BYTES = 32
"""Bytes that a field counts beyond its name and value (RFC 9113, 6.5.2)."""

_REPLACED_FIELDS = _CONNECTION_FIELDS | {"content-length", "host"}
_INVALID_NAME = re.compile(r"[\x00-\x20A-Z\x7f-\xff]|.:|^$")
_INVALID_VALUE = re.compile(r"[\x00\r\n]")
_STATUS = re.compile(r"[1-9][0-9]{2}")


class HeaderEncoder:
    """Encodes the header fields of one connection's requests.

    A field with the same value as in the request before goes into the header table. A value that
    differs from request to request does not: it would evict the others, as Apple notes:
    https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
    """

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._last: dict[str, str] = {}
        self._table = MAX_TABLE_BYTES

    def limit_table(self, size: int) -> None:
        """Lower the size of the table to the server's limit, in bytes; it never grows again."""
        self._table = min(size, self._table)

    def encode(self, request: Request) -> bytes:
        """Return the header block of a request."""
        if self._encoder.header_table_size != self._table:
            # Set here and not in `limit_table`: `hpack` writes each size that was set since the
            # last block, and a size above the server's last limit is an error.
            self._encoder.header_table_size = self._table
        fields = [self._mark(name, value) for name, value in iterate_request_fields(request)]
        return self._encoder.encode(fields, huffman=False)

    def _mark(self, name: str, value: str) -> HeaderTuple:
        field = name.encode("latin-1"), value.encode("latin-1")
        if self._last.get(name) == value:
            return HeaderTuple(*field)
        self._last[name] = value
        return NeverIndexedHeaderTuple(*field)


def iterate_request_fields(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the header fields of a request; raises `ValueError` for one that cannot be sent."""
    url = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    yield ":method", request.method
    yield ":scheme", url.scheme
    yield ":authority", headers.get("host", url.netloc.rpartition("@")[2])
    yield ":path", f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    for name, value in headers.items():
        if name not in _REPLACED_FIELDS:
            if _INVALID_NAME.search(name) or name[0] == ":" or _INVALID_VALUE.search(value):
                raise ValueError("a header field cannot be sent as it is")
            yield name, value
    yield "content-length", str(len(request.body))


class HeaderDecoder:
    """Decodes the header blocks of one connection's answers, in the order of their arrival."""

    def __init__(self) -> None:
        self._decoder = Decoder(MAX_BLOCK_BYTES)

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """Return the fields of a block; raises `Http2ConnectionError`: the table is lost too."""
        try:
            fields = self._decoder.decode(block, raw=True)
        except (HPACKError, IndexError):
            raise Http2ConnectionError(Http2ErrorCode.COMPRESSION_ERROR) from None
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def read_response_fields(fields: Iterable[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    """Return an answer's status and its fields; raises `Http2StreamError` where malformed."""
    status = size = 0
    headers: dict[str, str] = {}
    for name, value in fields:
        size += len(name) + len(value) + _ENTRY_OVERHEAD_BYTES
        if size > MAX_HEADERS_BYTES:
            raise Http2StreamError(Http2ErrorCode.ENHANCE_YOUR_CALM)
        if name == ":status" and not status and not headers and _STATUS.fullmatch(value):
            status = int(value)
            continue
        _check_field(name, value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if not status:
        raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
    return status, headers


def check_trailers(fields: Iterable[tuple[str, str]]) -> None:
    """Raise `Http2StreamError` for malformed trailers; nobody reads them."""
    for name, value in fields:
        _check_field(name, value)


def _check_field(name: str, value: str) -> None:
    if (
        _INVALID_NAME.search(name)
        or name[0] == ":"
        or name in _CONNECTION_FIELDS
        or _INVALID_VALUE.search(value)
    ):
        raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
