"""The load generator sends what it is given, counts what is answered, and hides nothing."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

import pytest

from benchmarks.load import Pace, Volleys, Window, generate, generate_apart, join
from benchmarks.payloads import RECIPIENTS, to_group, webhooks
from router.core.model.notification import derive
from router.core.model.payload import decode

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def answering(answer: Callable[[int], list[bytes]]) -> AsyncIterator[int]:
    """Answer the n-th request with pieces of bytes; with none, close the connection."""
    taken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        while head := await _head(reader):
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
            taken += 1
            pieces = answer(taken)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if not pieces:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def test_no_payload_repeats_another_and_each_is_as_long_as_it_says() -> None:
    keys, uids = set(), set()
    for request in islice(webhooks(), 2 * RECIPIENTS):
        head, body = request.split(b"\r\n\r\n", 1)
        assert head.endswith(b"Content-Length: %d" % len(body))
        notification = derive(decode(body), id="", accepted_at=time.time())
        keys.add(notification.key)
        uids.add(notification.uid)
    assert (len(keys), len(uids)) == (2 * RECIPIENTS, RECIPIENTS)


async def test_every_answer_is_counted_and_what_is_not_200_is_refused() -> None:
    def answer(number: int) -> list[bytes]:
        return [BUSY] if number % 4 == 0 else [OK[:20], OK[20:-1], OK[-1:]]

    async with answering(answer) as port:
        load = await generate(port, islice(webhooks(), 40), connections=4)
    assert (load.statuses, load.refused) == ({200: 30, 503: 10}, 10)
    assert len(load.latencies) == 40
    assert all(latency > 0 for latency in load.latencies)


async def test_a_connection_that_is_closed_ends_the_load() -> None:
    async with answering(lambda number: [OK] if number < 5 else []) as port:
        with pytest.raises(ConnectionError):
            await generate(port, islice(webhooks(), 40), connections=1)


async def test_a_load_ends_when_its_time_is_over() -> None:
    async with answering(lambda _: [OK]) as port:
        load = await generate(port, webhooks(), connections=2, seconds=0.05)
    assert load.seconds >= 0.05
    assert load.refused == 0


async def test_a_window_lets_no_more_be_underway_than_its_size() -> None:
    window = Window(3)
    underway = most = 0

    def answer(_: int) -> list[bytes]:
        nonlocal underway, most
        underway += 1
        most = max(most, underway)
        asyncio.get_running_loop().call_soon(arrive)
        return [OK]

    def arrive() -> None:
        nonlocal underway
        underway -= 1
        window.arrived()

    async with answering(answer) as port:
        load = await generate(port, islice(webhooks(), 50), connections=8, turn=window)
    assert len(load.latencies) == 50
    assert most <= 3


async def test_a_pace_is_never_faster_than_it_says() -> None:
    async with answering(lambda _: [OK]) as port:
        load = await generate(port, islice(webhooks(), 20), connections=4, turn=Pace(200))
    assert load.seconds >= 20 / 200 * 0.95


async def test_a_volley_waits_until_the_one_before_is_answered() -> None:
    taken: list[int] = []

    def answer(number: int) -> list[bytes]:
        taken.append(number)
        return [OK]

    async with answering(answer) as port:
        volleys = Volleys(5)
        load = await generate(port, islice(webhooks(), 15), connections=5, turn=volleys)
    assert (load.statuses, taken) == ({200: 15}, [*range(1, 16)])


async def test_each_request_goes_over_a_connection_of_its_own() -> None:
    def answer(number: int) -> list[bytes]:
        return [BUSY] if number == 4 else [OK]

    async with answering(answer) as port:
        loads = [await generate_apart(port, islice(webhooks(), 4)) for _ in range(2)]
    joined = join(loads)
    assert (joined.statuses, joined.refused) == ({200: 7, 503: 1}, 1)
    assert joined.latencies == [*loads[0].latencies, *loads[1].latencies]


def test_a_message_to_a_group_is_a_payload_for_each_member() -> None:
    told = [
        derive(decode(request.split(b"\r\n\r\n", 1)[1]), id="", accepted_at=time.time())
        for request in islice(to_group(3), 6)
    ]
    assert [each.uid for each in told] == ["u000000", "u000001", "u000002"] * 2
    assert {each.conversation for each in told} == {"group_hiking"}
    assert len({each.details["body"] for each in told}) == 2
    assert len({each.key for each in told}) == 6
