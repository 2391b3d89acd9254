"""HTTP/2 by the real transport, against a real server on loopback."""

import asyncio
import socket

import pytest

from router.bridge import Request, Response, TransportError, UntrustedServerError
from router.testing import ProviderReply
from router.transport import http2_session, http2_stream
from router.transport.http import AiohttpTransport
from tests.fakes.http2 import Fault, Http2Provider
from tests.transport.certificate import read_authority
from tests.transport.trusting_client import ask


async def test_a_request_and_its_answer_arrive_as_they_are(transport: AiohttpTransport) -> None:
    reply = ProviderReply(status=410, headers={"Apns-Id": "7"}, body=b'{"reason":"Unregistered"}')
    async with Http2Provider(reply) as provider:
        response = await transport.send(ask(provider, "/3/a%2Fb?x=%40", Token="aBc"), timeout=5)
        got = provider.requests[0]
    assert response == Response(status=410, headers={"apns-id": "7"}, body=reply.body)
    assert (got.method, got.url, got.body) == ("POST", f"{provider.url}/3/a%2Fb?x=%40", b"hello")
    assert got.headers == {"token": "aBc", "content-length": "5"}


async def test_a_request_without_a_body_is_one_frame(transport: AiohttpTransport) -> None:
    async with Http2Provider() as provider:
        assert (await transport.send(ask(provider, body=b""), timeout=5)).status == 200
        assert provider.requests[0].body == b""


async def test_many_requests_share_one_connection(transport: AiohttpTransport) -> None:
    async with Http2Provider(answer=lambda _: Fault.HANG) as provider:
        bodies = [b"%d" % number for number in range(300)]
        sends = [
            asyncio.create_task(transport.send(ask(provider, body=body), timeout=20))
            for body in bodies
        ]
        await provider.took(300)
        connection = provider.connections[0]
        for number in reversed(range(300)):
            connection.answer(2 * number + 1, ProviderReply(body=provider.requests[number].body))
        connection.flush()
        assert [answer.body for answer in await asyncio.gather(*sends)] == bodies
        assert len(provider.connections) == 1


@pytest.mark.parametrize("most", [1, 3])
async def test_no_more_streams_are_opened_than_the_server_allows(
    transport: AiohttpTransport, most: int
) -> None:
    async with Http2Provider(most=most) as provider:
        sends = (transport.send(ask(provider), timeout=20) for _ in range(30))
        assert all(answer.status == 200 for answer in await asyncio.gather(*sends))
        assert provider.most_at_once <= most
        assert len(provider.connections) == 1


async def test_what_waits_goes_out_when_the_server_allows_more(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider(Fault.HANG, most=1) as provider:
        first = asyncio.create_task(transport.send(ask(provider), timeout=30))
        await provider.took(1)
        second = asyncio.create_task(transport.send(ask(provider), timeout=30))
        provider.connections[0].allow(1000)
        assert (await second).status == 200
        first.cancel()


async def test_what_waited_for_a_stream_in_vain_was_not_sent(transport: AiohttpTransport) -> None:
    async with Http2Provider(Fault.HANG, most=1) as provider:
        first = asyncio.create_task(transport.send(ask(provider), timeout=30))
        await provider.took(1)
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider), timeout=0.2)
        first.cancel()
    assert (caught.value.reason, caught.value.sent) == ("timed out", False)


async def test_bodies_keep_to_the_window_the_server_has_open(transport: AiohttpTransport) -> None:
    body = bytes(range(256)) * 1000
    async with Http2Provider(window=1000) as provider:
        sends = (transport.send(ask(provider, body=body), timeout=20) for _ in range(5))
        assert all(answer.status == 200 for answer in await asyncio.gather(*sends))
        assert [request.body for request in provider.requests] == [body] * 5


async def test_no_more_of_an_answer_is_read_than_its_bound(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (http2_session, http2_stream):
        monkeypatch.setattr(module, "MAX_BODY_BYTES", 20_000)
    async with Http2Provider(
        ProviderReply(body=b"x" * 60_000), ProviderReply(body=b"next")
    ) as provider:
        assert len((await transport.send(ask(provider), timeout=5)).body) == 20_000
        assert (await transport.send(ask(provider), timeout=5)).body == b"next"
        assert len(provider.connections) == 1


async def test_long_answers_come_whole_one_after_the_other(transport: AiohttpTransport) -> None:
    async with Http2Provider(answer=lambda _: ProviderReply(body=b"x" * 30_000)) as provider:
        for _ in range(6):
            assert len((await transport.send(ask(provider), timeout=5)).body) == 30_000


async def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    transport = AiohttpTransport()
    async with Http2Provider() as provider:
        request = ask(provider)
        with pytest.raises(UntrustedServerError) as caught:
            await transport.send(request, timeout=5)
        assert not provider.requests
        unproven = Request(method="POST", url=request.url, verify=False, http2=True)
        assert (await transport.send(unproven, timeout=5)).status == 200
    await transport.aclose()
    assert "certificate" in caught.value.reason
    assert not caught.value.sent


async def test_a_server_without_http2_was_not_sent_to(transport: AiohttpTransport) -> None:
    async with Http2Provider(protocol="http/1.1") as provider:
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider), timeout=5)
        assert not provider.requests
    assert (caught.value.reason, caught.value.sent) == ("the server does not speak HTTP/2", False)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "nonsense", "https://", "https://x:y/"])
async def test_a_url_that_is_none_was_not_sent(transport: AiohttpTransport, url: str) -> None:
    with pytest.raises(TransportError) as caught:
        await transport.send(Request(method="POST", url=url, http2=True), timeout=5)
    assert not caught.value.sent


async def test_nobody_there_was_not_sent(transport: AiohttpTransport) -> None:
    async with Http2Provider() as provider:
        request = ask(provider)
    with pytest.raises(TransportError) as caught:
        await transport.send(request, timeout=5)
    assert (caught.value.reason, caught.value.sent) == ("the server is unreachable", False)


async def test_an_unknown_host_was_not_sent(transport: AiohttpTransport) -> None:
    request = Request(method="POST", url="https://nobody.invalid/SECRET", http2=True)
    with pytest.raises(TransportError) as caught:
        await transport.send(request, timeout=10)
    assert (caught.value.reason, caught.value.sent) == ("the host name was not found", False)


async def test_a_connection_that_is_never_made_was_not_sent(transport: AiohttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
        with pytest.raises(TransportError) as caught:
            await transport.send(Request(method="POST", url=url, http2=True), timeout=0.5)
    assert (caught.value.reason, caught.value.sent) == ("timed out", False)


async def test_a_host_is_rewritten_to_a_fake_with_its_own_name_kept() -> None:
    async with Http2Provider() as provider:
        transport = AiohttpTransport(
            rewrite={"api.example.com": provider.url}, authorities=read_authority()
        )
        there = Request(method="POST", url="https://api.example.com/3/x", http2=True)
        assert (await transport.send(there, timeout=5)).status == 200
        await transport.aclose()
    assert provider.requests[0].url == "https://api.example.com/3/x"


async def test_a_closed_transport_opens_again_and_closes_twice(
    transport: AiohttpTransport,
) -> None:
    async with Http2Provider() as provider:
        await transport.send(ask(provider), timeout=5)
        await transport.aclose()
        await transport.send(ask(provider), timeout=5)
        await transport.aclose()
        await transport.aclose()
        assert len(provider.connections) == 2
