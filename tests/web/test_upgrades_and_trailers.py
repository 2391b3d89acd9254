"""Offers of another protocol are ignored, and trailers are no headers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.channel import Secret
from router.samples import read_sample
from router.web.signature import Signer
from router.web.webhook import MAX_BODY_BYTES
from tests.web.harness import LIVE, OPERATOR, Harness, Memory, basic, open_harness, serve

Address = tuple[str, int]

SECRET = "a-secret-of-thirty-two-characters"
PATIENCE = 20.0
PAYLOAD = json.dumps(read_sample("push_chat_one_on_one")).encode()
BASIC = f"Authorization: {basic()['Authorization']}"
BEARER = f"Authorization: Bearer {OPERATOR}"
OFFERS = [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB"],
    ["Connection: Upgrade", "Upgrade: h2c"],
    ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    ["Connection: Upgrade", "Upgrade: TLS/1.0"],
    ["Connection: keep-alive, Upgrade", "Upgrade: TLS/1.0, HTTP/2.0, websocket"],
    ["Connection: upgrade", "Upgrade: h2c", "Upgrade: websocket"],
    ["Upgrade: h2c", "connection: keep-alive", "connection: UPGRADE"],
]
"""Head lines by which clients offer to speak something else."""


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def harness(tmp_path: Path, memory: Memory) -> AsyncIterator[Harness]:
    environ = {**LIVE, "ROUTER_WEBHOOK_SECRET": SECRET}
    async with open_harness(tmp_path, environ, intake=memory) as harness:
        yield harness


@pytest.fixture
async def address(harness: Harness) -> AsyncIterator[Address]:
    async with serve(harness.app) as address:
        yield address


def request(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def chunked(body: bytes, *trailers: str) -> bytes:
    """Return a body in two chunks, and the trailers after it."""
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (body[:half], body[half:]))
    return chunks + b"0\r\n" + "".join(f"{line}\r\n" for line in trailers).encode() + b"\r\n"


async def talk(address: Address, *pieces: bytes, answers: int = 1) -> list[int]:
    """Send pieces, each in a packet of its own, and return the statuses of so many answers."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        async with asyncio.timeout(PATIENCE):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            return [await status(reader) for _ in range(answers)]
    finally:
        writer.transport.abort()


async def status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if length := head.partition(b"content-length: ")[2].partition(b"\r\n")[0]:
        await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])


@pytest.mark.parametrize("offer", OFFERS, ids="; ".join)
class TestOffers:
    """Requests that offer to go on in another protocol."""

    async def test_a_payload_is_accepted(
        self, address: Address, memory: Memory, offer: list[str]
    ) -> None:
        head = request("POST", "/webhook", BASIC, *offer, f"Content-Length: {len(PAYLOAD)}")
        assert await talk(address, head + PAYLOAD) == [200]
        assert memory.bodies == [PAYLOAD]

    async def test_a_payload_in_chunks_is_accepted(
        self, address: Address, memory: Memory, offer: list[str]
    ) -> None:
        head = request("POST", "/webhook", BASIC, *offer, "Transfer-Encoding: chunked")
        assert await talk(address, head + chunked(PAYLOAD)) == [200]
        assert memory.bodies == [PAYLOAD]

    async def test_the_request_may_come_byte_by_byte(
        self, address: Address, memory: Memory, offer: list[str]
    ) -> None:
        head = request("POST", "/webhook", BASIC, *offer, f"Content-Length: {len(PAYLOAD)}")
        pieces = [bytes([byte]) for byte in head]
        assert await talk(address, *pieces, PAYLOAD[:7], PAYLOAD[7:]) == [200]
        assert memory.bodies == [PAYLOAD]

    async def test_requests_behind_it_are_answered(
        self, address: Address, memory: Memory, offer: list[str]
    ) -> None:
        first = request("POST", "/webhook", BASIC, *offer, f"Content-Length: {len(PAYLOAD)}")
        get = request("GET", "/health/live", *offer)
        plain = request("GET", "/health/live")
        whole = first + PAYLOAD + get + plain + first + PAYLOAD
        assert await talk(address, whole, answers=4) == [200] * 4
        assert memory.bodies == [PAYLOAD, PAYLOAD]

    async def test_every_route_answers_as_without_it(
        self, address: Address, offer: list[str]
    ) -> None:
        for method, path, lines, body, expected in (
            ("GET", "/health/live", [], b"", 200),
            ("GET", "/metrics", [], b"", 200),
            ("GET", "/docs/openapi.json", [], b"", 200),
            ("GET", "/nothing", [], b"", 404),
            ("GET", "/v1/channels", [], b"", 401),
            ("GET", "/v1/channels", [BEARER], b"", 200),
            ("PUT", "/v1/recipients/bob?appId=a", [BEARER], b"{}", 200),
            ("POST", "/v1/recipients/import?appId=a", [BEARER], b'{"uid":"ann"}\n', 200),
            ("POST", "/webhook", [], PAYLOAD, 401),
            ("POST", "/webhook", [BASIC], b"{}", 400),
        ):
            length = [f"Content-Length: {len(body)}"] if body else []
            sent = request(method, path, *lines, *offer, *length, body=body)
            assert await talk(address, sent) == [expected], path

    async def test_a_client_of_http_1_0_is_answered(
        self, address: Address, offer: list[str]
    ) -> None:
        head = request("GET", "/health/live", *offer).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        assert await talk(address, head) == [200]


@pytest.mark.parametrize(
    "sent",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        request("CONNECT", "localhost:25"),
        request("CONNECT", "localhost:25", "Connection: Upgrade", "Upgrade: h2c"),
        request("CONNECT", "/webhook", BASIC, "Content-Length: 2", body=b"{}"),
        request("GET", "/health/live") + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_a_client_that_speaks_something_else_at_once_is_refused(
    address: Address, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()  # to the end: the server hangs up
    writer.close()
    expected = b"HTTP/1.1 200 OK" if b"/health" in sent else b"HTTP/1.1 400 Bad Request"
    assert answer.startswith(expected)
    assert answer.count(b"HTTP/1.1 ") == 1


class TestTrailers:
    """What stands behind the last chunk of a body says nothing of the request."""

    async def test_a_password_there_is_none(self, address: Address, memory: Memory) -> None:
        head = request("POST", "/webhook", "Transfer-Encoding: chunked", "Trailer: Authorization")
        assert await talk(address, head + chunked(PAYLOAD, BASIC)) == [401]
        assert memory.bodies == []

    async def test_a_password_there_that_comes_late_is_none(
        self, address: Address, memory: Memory
    ) -> None:
        head = request("POST", "/webhook", "Transfer-Encoding: chunked")
        body = chunked(PAYLOAD, BASIC)
        assert await talk(address, head, body[:9], body[9:]) == [401]
        assert memory.bodies == []

    async def test_a_signature_there_is_none(self, address: Address, memory: Memory) -> None:
        digest = Signer(Secret(SECRET)).sign(PAYLOAD).hex()
        head = request("POST", "/webhook", "Transfer-Encoding: chunked")
        signature = f"X-CometChat-Signature: {digest}"
        assert await talk(address, head + chunked(PAYLOAD, signature)) == [401]
        assert memory.bodies == []

    async def test_a_key_of_the_api_there_is_none(self, address: Address) -> None:
        for method, path, body in (
            ("PUT", "/v1/recipients/bob?appId=a", b"{}"),
            ("POST", "/v1/recipients/import?appId=a", b'{"uid":"ann"}\n'),
        ):
            head = request(method, path, "Transfer-Encoding: chunked")
            assert await talk(address, head + chunked(body, BEARER)) == [401]

    @pytest.mark.parametrize(
        "trailers",
        [
            ["X-Checksum: 1"],
            ["Host: elsewhere.example", "Forwarded: for=1.2.3.4"],
            [BASIC, BASIC],
            ["Authorization: Bearer wrong"],
            ["X-CometChat-Signature: nonsense"],
            ["Connection: Upgrade", "Upgrade: h2c"],
            ["Content-Encoding: gzip"],
            ["Expect: 100-continue"],
        ],
        ids="; ".join,
    )
    async def test_what_is_there_takes_nothing_from_a_good_request(
        self, address: Address, memory: Memory, trailers: list[str]
    ) -> None:
        head = request("POST", "/webhook", BASIC, "Transfer-Encoding: chunked")
        one = head + chunked(PAYLOAD, *trailers)
        assert await talk(address, one + one, answers=2) == [200, 200]
        head = request("POST", "/webhook", BASIC, *OFFERS[0], "Transfer-Encoding: chunked")
        assert await talk(address, head + chunked(PAYLOAD, *trailers)) == [200]
        assert memory.bodies == [PAYLOAD] * 3

    @pytest.mark.parametrize(
        "trailers",
        [
            ["Content-Length: 5"],
            ["X-A: 1", " Authorization: Basic folded"],
            ["X-A: 1", "\tfolded"],
            ["no colon"],
        ],
        ids="; ".join,
    )
    async def test_framing_and_folded_lines_there_are_refused(
        self, address: Address, memory: Memory, trailers: list[str]
    ) -> None:
        head = request("POST", "/webhook", BASIC, "Transfer-Encoding: chunked")
        assert await talk(address, head + chunked(PAYLOAD, *trailers)) == [400]
        assert memory.bodies == []

    @pytest.mark.parametrize(
        ("beginning", "more"),
        [
            (chunked(PAYLOAD)[:-2] + b"X-A: ", b"a" * 1000),
            (chunked(PAYLOAD)[:-2], b"X-A: " + b"a" * 1000 + b"\r\n"),
            (b"5;", b"a" * 1000),
        ],
        ids=["one without an end", "many", "an extension of a chunk"],
    )
    async def test_they_are_bounded(
        self, address: Address, memory: Memory, beginning: bytes, more: bytes
    ) -> None:
        signed = f"X-CometChat-Signature: {'0' * 64}"
        _, writer = await asyncio.open_connection(*address)
        writer.write(request("POST", "/webhook", signed, "Transfer-Encoding: chunked") + beginning)

        async def pour() -> None:
            for _ in range(16 * MAX_BODY_BYTES // 1000):
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0)

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(pour(), PATIENCE)
        writer.close()
        assert memory.bodies == []
