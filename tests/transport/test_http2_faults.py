"""What a server of HTTP/2 may do instead of answering, and what is known of the request then."""

import asyncio
from collections.abc import Iterator
from itertools import cycle

import pytest

from router.bridge import Request, Response, TransportError
from router.testing import ProviderReply
from router.transport import http2_connection
from router.transport.http import AiohttpTransport
from tests.fakes.http2 import Act, Fault, Http2Provider
from tests.transport.trusting_client import ask


async def test_a_hang_may_have_been_sent_and_is_called_off(transport: AiohttpTransport) -> None:
    async with Http2Provider(Fault.HANG) as provider:
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider), timeout=0.3)
        assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert len(provider.resets) == 1
        assert len(provider.connections) == 1
    assert (caught.value.reason, caught.value.sent) == ("timed out", True)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.RESET, "the request was reset"),
        (Fault.CUT, "the connection was"),
        (Fault.GARBLE, "the answer is not HTTP/2"),
    ],
)
async def test_what_broke_off_may_have_been_sent(
    transport: AiohttpTransport, fault: Fault, reason: str
) -> None:
    async with Http2Provider(fault) as provider:
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider), timeout=5)
        assert caught.value.sent
        assert caught.value.reason.startswith(reason)
        assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert len(provider.requests) == 2


@pytest.mark.parametrize(("fault", "connections"), [(Fault.REFUSE, 1), (Fault.LEAVE, 2)])
async def test_what_the_server_has_not_looked_at_goes_again_at_once(
    transport: AiohttpTransport, fault: Fault, connections: int
) -> None:
    async with Http2Provider(ProviderReply(), fault) as provider:
        for _ in range(3):
            assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert len(provider.connections) == connections


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.LEAVE])
async def test_what_no_connection_takes_was_not_sent(
    transport: AiohttpTransport, fault: Fault
) -> None:
    async with Http2Provider(answer=lambda _: fault) as provider:
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider), timeout=5)
        assert not caught.value.sent
        assert len(provider.requests) == 5


async def test_a_server_that_goes_away_still_answers_what_it_took(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider(Fault.HANG, Fault.LEAVE_LATER) as provider:
        first = asyncio.create_task(transport.send(ask(provider), timeout=10))
        await provider.took(1)
        assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert len(provider.connections) == 2
        provider.connections[0].answer(1, ProviderReply(status=418))
        provider.connections[0].flush()
        assert (await first).status == 418


async def test_a_connection_that_was_quiet_is_asked_before_it_is_used(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_connection, "REPLY_TIMEOUT_S", 0.2)
    async with Http2Provider() as provider:
        await transport.send(ask(provider), timeout=5)
        assert provider.pings == 0
        monkeypatch.setattr(http2_connection, "PING_AFTER_SILENCE_S", 0.0)
        sends = (transport.send(ask(provider), timeout=5) for _ in range(5))
        assert all(answer.status == 200 for answer in await asyncio.gather(*sends))
        assert (provider.pings, len(provider.connections)) == (1, 1)
        provider.fall_mute()
        assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert len(provider.connections) == 2


async def test_a_connection_that_answered_nothing_in_time_is_doubted(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_connection, "REPLY_TIMEOUT_S", 0.2)
    async with Http2Provider() as provider:
        await transport.send(ask(provider), timeout=5)
        provider.fall_mute()
        with pytest.raises(TransportError):
            await transport.send(ask(provider), timeout=0.3)
        assert (await transport.send(ask(provider), timeout=5)).status == 200
        assert len(provider.connections) == 2


async def test_one_who_calls_off_while_connecting_leaves_the_others(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider() as provider:
        sends = [asyncio.create_task(transport.send(ask(provider), timeout=10)) for _ in range(5)]
        await asyncio.sleep(0)
        sends[0].cancel()
        answers = await asyncio.gather(*sends, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert all(isinstance(answer, Response) for answer in answers[1:])


FAULTS = (Fault.LEAVE, Fault.REFUSE, Fault.RESET, Fault.CUT, Fault.LEAVE_LATER)


@pytest.mark.parametrize("first", range(len(FAULTS)))
async def test_no_request_is_acted_on_twice_and_what_was_not_sent_not_at_all(
    transport: AiohttpTransport, first: int
) -> None:
    order: Iterator[Act] = cycle(
        (*FAULTS[first:], *FAULTS[:first], ProviderReply(), ProviderReply())
    )
    acted_on: list[bytes] = []

    def act(request: Request) -> Act:
        chosen = next(order)
        if chosen not in {Fault.LEAVE, Fault.REFUSE}:
            acted_on.append(request.body)
        return chosen

    async with Http2Provider(answer=act) as provider:
        bodies = [b"%d" % number for number in range(80)]
        sends = (transport.send(ask(provider, body=body), timeout=20) for body in bodies)
        ends = await asyncio.gather(*sends, return_exceptions=True)
        assert len(acted_on) == len(set(acted_on))
        for body, end in zip(bodies, ends, strict=True):
            if isinstance(end, Response):
                assert body in acted_on
            else:
                assert isinstance(end, TransportError)
                assert end.sent or body not in acted_on
        assert any(isinstance(end, Response) for end in ends)
