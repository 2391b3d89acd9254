"""A refused request is sent again over the connection that lives on (RFC 9113, 8.7)."""

import asyncio

import pytest
from h2.settings import SettingCodes

from router.bridge import Request, Response
from router.testing import ProviderReply
from router.transport.http import AiohttpTransport
from tests.fakes.http2 import Act, Fault, Http2Provider
from tests.transport.trusting_client import ask


async def test_settings_and_a_refusal_in_one_read_end_no_other_request(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider(window=2) as provider:
        provider.is_reading = False
        sends = [asyncio.create_task(transport.send(ask(provider), timeout=20)) for _ in range(2)]
        await provider.opened(2)
        connection = provider.connections[0]
        connection.change_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        connection.refuse(1)
        connection.flush()
        assert [answer.status for answer in await asyncio.gather(*sends)] == [200, 200]
        assert (len(provider.requests), len(provider.connections)) == (2, 1)


@pytest.mark.parametrize("window", [2, 65_535], ids=["waiting for window", "whole"])
async def test_of_150_in_flight_100_are_refused_and_all_are_answered(
    transport: AiohttpTransport, window: int
) -> None:
    async with Http2Provider(answer=lambda _: Fault.HANG, window=window) as provider:
        provider.is_reading = False
        bodies = [b"body %d" % number for number in range(150)]
        sends = [
            asyncio.create_task(transport.send(ask(provider, body=body), timeout=30))
            for body in bodies
        ]
        await provider.opened(150)
        connection = provider.connections[0]
        changed = {SettingCodes.INITIAL_WINDOW_SIZE: 1000, SettingCodes.MAX_CONCURRENT_STREAMS: 50}
        connection.change_settings(changed)
        for number in range(50, 150):
            connection.refuse(2 * number + 1)
        if window > 1000:
            for number in range(50):
                connection.answer(2 * number + 1, ProviderReply(body=bodies[number]))
        provider.answer_with(lambda request: ProviderReply(body=request.body))
        connection.flush()
        assert [answer.body for answer in await asyncio.gather(*sends)] == bodies
        assert len(provider.connections) == 1


async def test_what_stands_above_a_goaway_goes_over_a_new_connection(
    transport: AiohttpTransport,
) -> None:
    script = [Fault.HANG] * 3
    async with Http2Provider(*script) as provider:
        sends = []
        for number in range(3):
            request = ask(provider, body=b"%d" % number)
            sends.append(asyncio.create_task(transport.send(request, timeout=20)))
            await provider.took(number + 1)
        old = provider.connections[0]
        old.go_away(3)
        assert (await sends[2]).status == 200
        old.answer(3, ProviderReply(status=418))
        old.answer(1, ProviderReply(status=417))
        old.flush()
        assert [(await send).status for send in sends[:2]] == [417, 418]
        assert [request.body for request in provider.requests] == [b"0", b"1", b"2", b"2"]


async def test_a_server_that_refuses_for_a_while_is_asked_until_it_takes(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider(Fault.REFUSE, Fault.REFUSE, Fault.REFUSE, ProviderReply()) as provider:
        answer = await transport.send(ask(provider), timeout=20)
        assert isinstance(answer, Response)
        assert (len(provider.requests), len(provider.connections)) == (4, 1)


async def test_a_reset_of_one_leaves_the_others(transport: AiohttpTransport) -> None:
    async with Http2Provider(Fault.HANG, Fault.HANG, Fault.RESET) as provider:
        sends = [asyncio.create_task(transport.send(ask(provider), timeout=20)) for _ in range(3)]
        await provider.took(3)
        for stream in (1, 3):
            provider.connections[0].answer(stream, ProviderReply())
        provider.connections[0].flush()
        ends = await asyncio.gather(*sends, return_exceptions=True)
        assert [isinstance(end, Response) for end in ends] == [True, True, False]
        assert len(provider.connections) == 1


async def test_a_server_that_leaves_again_and_again_gets_everything_once(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider(most=2) as provider:
        taken = 0

        def act(request: Request) -> Act:
            nonlocal taken
            taken += 1
            return Fault.LEAVE_LATER if taken % 2 == 0 else ProviderReply()

        provider.answer_with(act)
        bodies = [b"%d" % number for number in range(40)]
        sends = (transport.send(ask(provider, body=body), timeout=30) for body in bodies)
        assert {answer.status for answer in await asyncio.gather(*sends)} == {200}
        assert sorted(request.body for request in provider.requests) == sorted(bodies)
        assert len(provider.connections) == 20
