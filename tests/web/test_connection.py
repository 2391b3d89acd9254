"""What a connection may cost: time, bytes and company, on a real server spoken to in bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from router.web import connection, server
from tests.web.harness import Harness, basic, serve

Address = tuple[str, int]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

GOOD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE = 20.0


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server give up after a third of a second, and look all the time."""
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr(server, "_CHECK_INTERVAL_TICKS", 1)


@pytest.fixture
async def address(harness: Harness) -> AsyncIterator[Address]:
    async with serve(harness.app) as address:
        yield address


@pytest.fixture
async def dial(address: Address) -> AsyncIterator[Callable[[], Awaitable[Streams]]]:
    """Open connections, and close them after the test."""
    opened: list[Streams] = []

    async def dial() -> Streams:
        opened.append(await asyncio.open_connection(*address))
        return opened[-1]

    yield dial
    for _, writer in opened:
        writer.transport.abort()


def post(*lines: str) -> bytes:
    authorization = f"Authorization: {basic()['Authorization']}"
    head = ["POST /webhook HTTP/1.1", "Host: localhost", authorization, *lines, "", ""]
    return "\r\n".join(head).encode()


async def everything(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server hangs up."""
    async with asyncio.timeout(PATIENCE):
        return await reader.read()


def told(answer: bytes, status: str) -> str:
    """Return the detail of the only answer there is, which hangs up."""
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}".encode()), answer
    assert b"\r\nconnection: close" in head.lower()
    body = json.loads(content)
    assert set(body) == {"message", "detail", "problems"}
    assert body["message"] == status.partition(" ")[2].lower()
    return str(body["detail"])


Dial = Callable[[], Awaitable[Streams]]


@pytest.mark.usefixtures("hasty")
async def test_who_says_nothing_is_hung_up_on(dial: Dial) -> None:
    reader, _ = await dial()
    assert await everything(reader) == b""


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "beginning",
    [
        b"POST /web",
        b"POST /webhook HTTP/1.1\r\nHost: localhost\r\n",
        post("Content-Length: 50"),
        post("Content-Length: 50") + b"{",
        post("Transfer-Encoding: chunked") + b"5\r\nhel",
        b"PUT /v1/recipients/bob HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        GOOD[:-2],
    ],
)
async def test_half_a_request_is_given_up(dial: Dial, beginning: bytes) -> None:
    reader, writer = await dial()
    writer.write(beginning)
    answer = await everything(reader)
    if beginning.startswith(b"PUT"):  # answered 401 as soon as its head was there
        assert answer.startswith(b"HTTP/1.1 401 ")
    else:
        assert told(answer, "408 Request Timeout") == "send the whole request within 0.3 s"


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_drips_gains_no_time(dial: Dial) -> None:
    reader, writer = await dial()
    writer.write(post("Content-Length: 500"))

    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE)
    dripping.cancel()
    assert head == b"HTTP/1.1 408 Request Timeout\r\n"


@pytest.mark.usefixtures("hasty")
async def test_a_connection_at_rest_is_not_hurried(dial: Dial) -> None:
    reader, writer = await dial()
    for _ in range(2):
        writer.write(GOOD)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(0.6)  # twice what a request may take, less than a connection may rest


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_takes_no_answer_is_cut_off(dial: Dial) -> None:
    _, writer = await dial()
    writer.write(b"GET /docs/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)

    async def is_cut_off() -> None:
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)

    await asyncio.wait_for(is_cut_off(), PATIENCE)


async def test_what_is_no_http_gets_the_body_of_an_error(dial: Dial) -> None:
    for nonsense in (
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        post("Content-Length: abc"),
        post("Content-Length: -5"),
        post("Content-Length: 5", "Content-Length: 6"),
        post("Content-Length: 5", "Transfer-Encoding: chunked"),
        post("Content-Length: 99999999999999999999999999"),
        post("Transfer-Encoding: chunked") + b"zz\r\n",
        post("X-A: a\0b"),
    ):
        reader, writer = await dial()
        writer.write(nonsense)
        assert told(await everything(reader), "400 Bad Request") == "Invalid HTTP request received."


async def test_the_answer_to_a_good_request_is_not_lost_to_a_bad_one_after_it(dial: Dial) -> None:
    reader, writer = await dial()
    writer.write(GOOD + GOOD + b"garbage\r\n\r\n")
    answer = await everything(reader)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"HTTP/1.1 ") == 2


@pytest.mark.parametrize(
    "head", [b"X-A: " + b"a" * 200_000, b"".join(b"X-%d: a\r\n" % n for n in range(30_000))]
)
async def test_a_head_without_an_end_is_refused(dial: Dial, head: bytes) -> None:
    reader, writer = await dial()
    writer.write(b"POST /webhook HTTP/1.1\r\n" + head)
    found = await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE)
    assert found == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


async def test_a_large_head_that_ends_is_taken(dial: Dial) -> None:
    reader, writer = await dial()
    writer.write(GOOD[:-2] + b"X-A: " + b"a" * 60_000 + b"\r\n\r\n")
    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")


async def test_a_body_without_an_end_is_not_read_for_ever(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_UNWANTED_REQUEST_BYTES", 1_000_000)
    _, writer = await dial()
    writer.write(post("Transfer-Encoding: chunked"))

    async def pour() -> None:
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(pour(), PATIENCE)


async def test_beyond_the_most_connections_one_more_is_told_to_come_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    async with serve(harness.app) as address:
        taken = [await asyncio.open_connection(*address) for _ in range(2)]
        for reader, writer in taken:
            writer.write(GOOD)
            await reader.readuntil(b"}")
        reader, refused = await asyncio.open_connection(*address)
        answer = await everything(reader)
        assert "too many connections" in told(answer, "503 Service Unavailable")
        assert b"\r\nretry-after: " in answer
        for writer in (refused, *(writer for _, writer in taken)):
            writer.close()
            await writer.wait_closed()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GOOD)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


def test_there_is_room_for_files_beside_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: asked.append(limits))
    for (soft, hard), room, wanted in (
        (
            (1024, 1 << 20),
            server.MAX_CONNECTIONS,
            [(server.MAX_CONNECTIONS + server.RESERVED_FILES, 1 << 20)],
        ),
        ((1024, 4096), 4096 - server.RESERVED_FILES, [(4096, 4096)]),
        ((256, 256), 256 - server.RESERVED_FILES, [(256, 256)]),
        ((1 << 20, 1 << 20), server.MAX_CONNECTIONS, []),
        ((-1, -1), server.MAX_CONNECTIONS, []),
        (
            (1024, -1),
            server.MAX_CONNECTIONS,
            [(server.MAX_CONNECTIONS + server.RESERVED_FILES, -1)],
        ),
    ):
        asked.clear()
        monkeypatch.setattr("resource.getrlimit", lambda _, limits=(soft, hard): limits)
        assert server._raise_file_limit() == room
        assert asked == wanted
