"""What a server may get wrong: one stream's fault ends that stream, a connection's the rest."""

import asyncio

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from router.bridge import Request, TransportError
from router.transport.http2_frames import (
    MAX_FRAME_BYTES,
    PREFACE,
    Http2ConnectionError,
    Http2ErrorCode,
)
from router.transport.http2_headers import MAX_BLOCK_BYTES, MAX_HEADERS_BYTES
from router.transport.http2_session import Http2Session
from router.transport.http2_stream import Http2Stream, RequestProgress

OK = [(":status", "200")]


def write(*frames: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


def headers(
    stream: int, fields: list[tuple[str, str]], *flags: str, encoder: hpack.Encoder | None = None
) -> bytes:
    block = (encoder or hpack.Encoder()).encode(fields)
    return write(HeadersFrame(stream, data=block, flags=[*(flags or ("END_HEADERS",))]))


def end(stream: int, fields: list[tuple[str, str]]) -> bytes:
    return headers(stream, fields, "END_HEADERS", "END_STREAM")


def in_pieces(stream: int, fields: list[tuple[str, str]]) -> bytes:
    """Return headers that end the stream, in as many frames as they take."""
    block = hpack.Encoder().encode(fields, huffman=False)
    pieces = [
        block[start : start + MAX_FRAME_BYTES] for start in range(0, len(block), MAX_FRAME_BYTES)
    ]
    frames: list[Frame] = [HeadersFrame(stream, data=pieces[0], flags=["END_STREAM"])]
    frames += [ContinuationFrame(stream, data=piece) for piece in pieces[1:]]
    frames[-1].flags.add("END_HEADERS")
    return write(*frames)


def data(stream: int, payload: bytes, *flags: str) -> bytes:
    return write(DataFrame(stream, data=payload, flags=[*flags]))


def room(stream: int, size: int) -> bytes:
    return stream.to_bytes(4, "big").join([b"\0\0\x04\x08\0", size.to_bytes(4, "big")])


SETTINGS = write(SettingsFrame(0, settings={}))


async def open_session(*bodies: bytes) -> tuple[Http2Session, list[Http2Stream]]:
    session = Http2Session()
    exchanges = []
    for body in bodies:
        request = Request(method="POST", url="https://push.example.com/", body=body, http2=True)
        exchanges.append(Http2Stream(request, RequestProgress()))
        session.start(exchanges[-1], now=0.0)
    session.data_to_send()
    return session, exchanges


def read_frames(output: bytes) -> list[Frame]:
    frames = []
    view = memoryview(output.removeprefix(PREFACE))
    while view:
        frame, size = Frame.parse_frame_header(view[:9])
        frame.parse_body(view[9 : 9 + size])
        frames.append(frame)
        view = view[9 + size :]
    return frames


STREAM_FAULTS = {
    "data before headers": data(1, b"x"),
    "no status": end(1, [("server", "x")]),
    "a status that is none": end(1, [(":status", "abc")]),
    "a status that is no number of three digits": end(1, [(":status", "²00")]),
    "two statuses": end(1, [*OK, *OK]),
    "a status after a field": end(1, [("server", "x"), *OK]),
    "more headers than are read": in_pieces(1, [*OK, ("x", "x" * MAX_HEADERS_BYTES)]),
    "another pseudo-field": end(1, [*OK, (":path", "/")]),
    "a name in capitals": end(1, [*OK, ("Server", "x")]),
    "an empty name": end(1, [*OK, ("", "x")]),
    "a line break in a value": end(1, [*OK, ("server", "x\r\ny: z")]),
    "a field of HTTP/1.1": end(1, [*OK, ("transfer-encoding", "chunked")]),
    "an informational answer that ends": end(1, [(":status", "103")]),
    "another protocol": headers(1, [(":status", "101")]),
    "trailers that do not end": headers(1, OK) + headers(1, [("grpc", "1")]),
    "trailers with a status": headers(1, OK) + end(1, OK),
    "a body shorter than it says": headers(1, [*OK, ("content-length", "3")])
    + data(1, b"xy", "END_STREAM"),
    "room for nothing": room(1, 0),
    "room beyond all bounds": room(1, 2**31 - 1),
}


@pytest.mark.parametrize("said", STREAM_FAULTS.values(), ids=STREAM_FAULTS.keys())
async def test_a_fault_of_one_stream_ends_that_stream_alone(said: bytes) -> None:
    session, (broken, other) = await open_session(b"a", b"b")
    session.receive(SETTINGS + said + end(3, [(":status", "204")]))
    error = broken.answer.exception()
    assert isinstance(error, TransportError)
    assert (error.reason, error.sent) == ("the answer is malformed", True)
    assert other.answer.result().status == 204
    assert not session.is_closing
    resets = [f for f in read_frames(session.data_to_send()) if isinstance(f, RstStreamFrame)]
    assert [frame.stream_id for frame in resets] == [1]
    session.receive(end(1, OK))  # it did not know yet


async def test_room_without_bounds_for_one_stream_that_is_waiting_ends_it_alone() -> None:
    session, (waiting, other) = await open_session(b"a" * 70_000, b"b")
    session.receive(SETTINGS + room(1, 2**31 - 1) + end(3, OK))
    assert not waiting.answer.done()  # its window was empty: it is the most there may be
    session.receive(room(1, 2**31 - 1))
    assert isinstance(waiting.answer.exception(), TransportError)
    assert other.answer.result().status == 200


BLOCK = hpack.Encoder().encode(OK)
CONNECTION_FAULTS = {
    "another protocol": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "FRAME_SIZE_ERROR"),
    "no settings first": (end(1, OK), "PROTOCOL_ERROR"),
    "an acknowledgement first": (write(SettingsFrame(0, flags=["ACK"])), "PROTOCOL_ERROR"),
    "a frame that is too long": (SETTINGS + b"\0\x40\x01\0\0\0\0\0\1", "FRAME_SIZE_ERROR"),
    "data on no stream": (SETTINGS + b"\0\0\1\0\0\0\0\0\0x", "PROTOCOL_ERROR"),
    "headers on a stream that is not open": (SETTINGS + end(7, OK), "PROTOCOL_ERROR"),
    "headers on a stream of the server's": (SETTINGS + end(2, OK), "PROTOCOL_ERROR"),
    "settings on a stream": (SETTINGS + b"\0\0\0\4\0\0\0\0\1", "PROTOCOL_ERROR"),
    "half a setting": (SETTINGS + b"\0\0\5\4\0\0\0\0\0hello", "FRAME_SIZE_ERROR"),
    "an acknowledgement with settings": (
        SETTINGS + b"\0\0\6\4\1\0\0\0\0\0\4\0\0\0\1",
        "FRAME_SIZE_ERROR",
    ),
    "a window beyond all bounds": (
        SETTINGS + b"\0\0\6\4\0\0\0\0\0\0\4\x80\0\0\0",
        "FLOW_CONTROL_ERROR",
    ),
    "frames that are too small": (SETTINGS + b"\0\0\6\4\0\0\0\0\0\0\5\0\0\0\1", "PROTOCOL_ERROR"),
    "half a ping": (SETTINGS + b"\0\0\4\6\0\0\0\0\0ping", "FRAME_SIZE_ERROR"),
    "a ping on a stream": (SETTINGS + b"\0\0\x08\6\0\0\0\0\1ping1234", "PROTOCOL_ERROR"),
    "half a goaway": (SETTINGS + b"\0\0\4\7\0\0\0\0\0\0\0\0\0", "FRAME_SIZE_ERROR"),
    "a goaway on a stream": (SETTINGS + b"\0\0\x08\7\0\0\0\0\1" + bytes(8), "PROTOCOL_ERROR"),
    "half a reset": (SETTINGS + b"\0\0\2\3\0\0\0\0\1ab", "FRAME_SIZE_ERROR"),
    "a reset of a stream that is not open": (
        SETTINGS + write(RstStreamFrame(9, error_code=0)),
        "PROTOCOL_ERROR",
    ),
    "a priority of no stream": (SETTINGS + b"\0\0\5\2\0\0\0\0\0" + bytes(5), "PROTOCOL_ERROR"),
    "room for nothing": (SETTINGS + room(0, 0), "PROTOCOL_ERROR"),
    "room beyond all bounds": (SETTINGS + room(0, 2**31 - 1), "FLOW_CONTROL_ERROR"),
    "a push": (
        SETTINGS + write(PushPromiseFrame(1, promised_stream_id=2, data=BLOCK)),
        "PROTOCOL_ERROR",
    ),
    "a continuation of nothing": (
        SETTINGS + write(ContinuationFrame(1, data=BLOCK)),
        "PROTOCOL_ERROR",
    ),
    "headers that are interrupted": (
        SETTINGS + write(HeadersFrame(1, data=BLOCK), PingFrame(0, opaque_data=bytes(8))),
        "PROTOCOL_ERROR",
    ),
    "headers that are another stream's half-way": (
        SETTINGS + write(HeadersFrame(1, data=BLOCK), ContinuationFrame(3, data=BLOCK)),
        "PROTOCOL_ERROR",
    ),
    "headers without an end": (
        SETTINGS + write(HeadersFrame(1), *[ContinuationFrame(1)] * 100),
        "ENHANCE_YOUR_CALM",
    ),
    "headers that cannot be decoded": (
        SETTINGS + b"\0\0\1\1\5\0\0\0\1\xff",
        "COMPRESSION_ERROR",
    ),
    "headers beyond all bounds": (
        SETTINGS + in_pieces(1, [*OK, ("x", "x" * MAX_BLOCK_BYTES)]),
        "ENHANCE_YOUR_CALM",
    ),
    "a short block that stands for long headers": (
        SETTINGS + headers(1, [*OK, *[("x", "x" * 4000)] * 300]),
        "COMPRESSION_ERROR",
    ),
    "padding that is longer than its frame": (
        SETTINGS + b"\0\0\2\0\x08\0\0\0\1\xffx",
        "PROTOCOL_ERROR",
    ),
    "padding without its length": (SETTINGS + b"\0\0\0\0\x08\0\0\0\1", "FRAME_SIZE_ERROR"),
}


@pytest.mark.parametrize(("said", "code"), CONNECTION_FAULTS.values(), ids=CONNECTION_FAULTS.keys())
async def test_a_fault_of_the_connection_has_its_code(said: bytes, code: str) -> None:
    session, _ = await open_session(b"a", b"b")
    with pytest.raises(Http2ConnectionError) as caught:
        session.receive(said)
    assert caught.value.code is Http2ErrorCode[code]


async def test_what_was_answered_before_a_fault_is_answered() -> None:
    session, (answered, open_) = await open_session(b"a", b"b")
    with pytest.raises(Http2ConnectionError):
        session.receive(SETTINGS + end(1, OK) + room(0, 0) + end(3, OK))
    assert answered.answer.result().status == 200
    assert not open_.answer.done()


async def test_an_answer_that_began_is_not_taken_back_by_a_refusal() -> None:
    session, exchanges = await open_session(b"a", b"b")
    refusal = write(RstStreamFrame(1, error_code=Http2ErrorCode.REFUSED_STREAM))
    session.receive(SETTINGS + headers(1, OK) + headers(3, OK) + refusal)
    session.receive(write(GoAwayFrame(0, last_stream_id=1)))
    errors = [exchange.answer.exception() for exchange in exchanges]
    assert all(isinstance(error, TransportError) and error.sent for error in errors)


async def test_informational_answers_and_trailers_are_no_part_of_the_answer() -> None:
    session, (exchange,) = await open_session(b"a")
    encoder = hpack.Encoder()
    session.receive(
        SETTINGS
        + headers(1, [(":status", "103"), ("link", "</x>")], encoder=encoder)
        + headers(1, [*OK, ("a", "1"), ("a", "2")], encoder=encoder)
        + data(1, b"body")
        + headers(1, [("b", "3")], "END_HEADERS", "END_STREAM", encoder=encoder)
    )
    answer = exchange.answer.result()
    assert (answer.status, answer.headers, answer.body) == (200, {"a": "1, 2"}, b"body")


async def test_a_request_that_cannot_be_written_is_the_only_one_to_fail() -> None:
    session, (other,) = await open_session(b"a")
    bad = Request(
        method="POST", url="https://a.example/", headers={"x": "a\r\nb: c"}, body=b"x", http2=True
    )
    exchange = Http2Stream(bad, RequestProgress())
    session.start(exchange, now=0.0)
    error = exchange.answer.exception()
    assert isinstance(error, TransportError)
    assert not error.sent
    assert session.data_to_send() == b""
    session.receive(SETTINGS + end(1, OK))
    assert other.answer.result().status == 200


async def test_long_request_headers_go_in_several_frames() -> None:
    session = Http2Session()
    long = {f"x-{number}": "v" * 4000 for number in range(12)}
    request = Request(method="POST", url="https://a.example/", headers=long, http2=True)
    session.start(Http2Stream(request, RequestProgress()), now=0.0)
    frames = read_frames(session.data_to_send())[1:]
    assert [type(frame) for frame in frames] == [
        HeadersFrame,
        ContinuationFrame,
        ContinuationFrame,
    ]
    assert "END_STREAM" in frames[0].flags
    block = b"".join(f.data for f in frames if isinstance(f, HeadersFrame | ContinuationFrame))
    decoded = dict(hpack.Decoder().decode(block, raw=True))
    assert decoded[b"x-11"] == b"v" * 4000


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_anything_at_all_is_either_read_or_refused(pieces: list[bytes]) -> None:
    async def hear() -> None:
        session, _ = await open_session(b"a", b"b" * 70_000)
        try:
            session.receive(SETTINGS)
            for piece in pieces:
                framed = len(piece[6:]).to_bytes(3, "big") + piece
                session.receive(framed if len(piece) >= 6 else piece)
                session.data_to_send()
        except Http2ConnectionError:
            pass

    asyncio.run(hear())
