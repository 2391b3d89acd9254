"""The way out, against real servers on loopback."""

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator

import pytest

from router.bridge import Request, TransportError, UntrustedServerError
from router.testing import FakeProvider, ProviderReply
from router.transport.http import MAX_BODY_BYTES, AiohttpTransport
from tests.transport.certificate import make_authority


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    opened = AiohttpTransport()
    yield opened
    await opened.aclose()


def ask(url: str, *, method: str = "POST", verify: bool = True, **headers: str) -> Request:
    return Request(method=method, url=url, headers=headers, body=b"hello", verify=verify)


async def test_a_request_arrives_byte_for_byte(transport: AiohttpTransport) -> None:
    place = "/a%2Fb/%7Euser/x;y=1/%40to@x?q=a%40b@c&r=%20+%E2%82%AC&s=a,b|c"
    async with FakeProvider() as provider:
        await transport.send(ask(f"{provider.url}{place}", Token="aBc"), timeout=5)
        got = provider.requests[0]
    assert got.url == f"{provider.url}{place}"
    assert got.body == b"hello"
    assert got.headers["token"] == "aBc"
    assert "content-type" not in got.headers


async def test_an_answer_comes_back_whole(transport: AiohttpTransport) -> None:
    reply = ProviderReply(
        status=207, headers={"X-Two": "a", "Retry-After": "3"}, body=b"\x00\xffyes"
    )
    async with FakeProvider(reply) as provider:
        response = await transport.send(ask(provider.url), timeout=5)
    assert (response.status, response.body) == (207, b"\x00\xffyes")
    assert response.headers["x-two"] == "a"
    assert response.headers["retry-after"] == "3"


async def test_a_packed_answer_is_unpacked(transport: AiohttpTransport) -> None:
    reply = ProviderReply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b"hello"))
    async with FakeProvider(reply) as provider:
        assert (await transport.send(ask(provider.url), timeout=5)).body == b"hello"


async def test_no_more_of_an_answer_is_read_than_its_bound(transport: AiohttpTransport) -> None:
    async with FakeProvider(
        ProviderReply(body=b"x" * (MAX_BODY_BYTES + 100_000)), ProviderReply(body=b"next")
    ) as provider:
        response = await transport.send(ask(provider.url), timeout=10)
        assert len(response.body) == MAX_BODY_BYTES
        assert (await transport.send(ask(provider.url), timeout=5)).body == b"next"


async def test_redirects_are_answers(transport: AiohttpTransport) -> None:
    reply = ProviderReply(status=302, headers={"Location": "http://127.0.0.1:1/"})
    async with FakeProvider(reply) as provider:
        response = await transport.send(ask(provider.url), timeout=5)
    assert (response.status, len(provider.requests)) == (302, 1)


async def test_cookies_are_not_kept(transport: AiohttpTransport) -> None:
    async with FakeProvider(ProviderReply(headers={"Set-Cookie": "a=b; Path=/"})) as provider:
        await transport.send(ask(provider.url), timeout=5)
        await transport.send(ask(provider.url), timeout=5)
    assert "cookie" not in provider.requests[1].headers


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    transport: AiohttpTransport,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login anna password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with FakeProvider() as provider:
        await transport.send(ask(provider.url), timeout=5)
    assert "authorization" not in provider.requests[0].headers


async def test_a_hang_may_have_been_sent(transport: AiohttpTransport) -> None:
    async with FakeProvider(ProviderReply(fault="hang")) as provider:
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider.url), timeout=1.0)
    assert (caught.value.reason, caught.value.sent) == ("timed out", True)


async def test_a_dripping_answer_does_not_outlast_the_time(transport: AiohttpTransport) -> None:
    async with FakeProvider(ProviderReply(fault="drip", body=b"x" * 200, pause=0.05)) as provider:
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider.url), timeout=1.0)
    assert (caught.value.reason, caught.value.sent) == ("timed out", True)
    assert time.monotonic() - started < 4


async def test_a_reset_may_have_been_sent(transport: AiohttpTransport) -> None:
    async with FakeProvider(ProviderReply(fault="reset")) as provider:
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(provider.url), timeout=5)
    assert caught.value.sent


async def test_a_refused_connection_was_not_sent(transport: AiohttpTransport) -> None:
    async with FakeProvider() as provider:
        url = provider.url
    with pytest.raises(TransportError) as caught:
        await transport.send(ask(url), timeout=5)
    assert (caught.value.reason, caught.value.sent) == ("the server is unreachable", False)


async def test_an_unknown_host_was_not_sent(transport: AiohttpTransport) -> None:
    with pytest.raises(TransportError) as caught:
        await transport.send(ask("http://nobody.invalid/SECRET"), timeout=10)
    assert not caught.value.sent
    assert "SECRET" not in str(caught.value)


async def test_a_connection_that_is_never_made_was_not_sent(transport: AiohttpTransport) -> None:
    mute = socket.create_server(("127.0.0.1", 0))
    port = mute.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        await transport.send(ask(f"https://127.0.0.1:{port}/"), timeout=1.0)
    mute.close()
    assert (caught.value.reason, caught.value.sent) == ("timed out", False)


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://x/y", "http://[::1/", "http://a b/"])
async def test_a_url_that_is_none_was_not_sent(transport: AiohttpTransport, url: str) -> None:
    with pytest.raises(TransportError) as caught:
        await transport.send(ask(url), timeout=5)
    assert not caught.value.sent


async def test_a_certificate_nobody_vouches_for_is_refused(transport: AiohttpTransport) -> None:
    tls, _ = make_authority()
    async with FakeProvider(tls=tls) as provider:
        with pytest.raises(UntrustedServerError) as caught:
            await transport.send(ask(provider.url), timeout=5)
        assert not provider.requests
        assert "certificate" in caught.value.reason
        assert not caught.value.sent
        response = await transport.send(ask(provider.url, verify=False), timeout=5)
    assert response.status == 200


async def test_a_server_that_speaks_no_tls_was_not_sent(transport: AiohttpTransport) -> None:
    async with FakeProvider() as provider:
        url = provider.url.replace("http:", "https:")
        with pytest.raises(TransportError) as caught:
            await transport.send(ask(url), timeout=5)
    assert not caught.value.sent


async def test_connections_are_used_again(transport: AiohttpTransport) -> None:
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(5)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for _ in range(5):
        await transport.send(ask(url), timeout=5)
    server.close()
    await transport.aclose()
    assert opened == 1


async def test_a_host_is_rewritten_to_a_fake_with_its_own_name_kept() -> None:
    async with FakeProvider() as provider:
        transport = AiohttpTransport(rewrite={"api.example.com": provider.url})
        await transport.send(ask("https://api.example.com/v1/a%2Fb?x=%40"), timeout=5)
        await transport.aclose()
    assert provider.requests[0].url == "http://api.example.com/v1/a%2Fb?x=%40"


async def test_any_host_is_rewritten_where_a_star_says_so() -> None:
    async with FakeProvider() as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        await transport.send(ask("https://anna:pass@other.example:8443/x"), timeout=5)
        await transport.aclose()
    assert provider.requests[0].url == "http://other.example:8443/x"


async def test_a_closed_transport_opens_again_and_closes_twice() -> None:
    transport = AiohttpTransport()
    async with FakeProvider() as provider:
        await transport.send(ask(provider.url), timeout=5)
        await transport.aclose()
        await transport.send(ask(provider.url), timeout=5)
        await transport.aclose()
        await transport.aclose()
    assert len(provider.requests) == 2


async def test_calling_off_frees_the_connection(transport: AiohttpTransport) -> None:
    reached = asyncio.Event()

    def answer(_: Request) -> ProviderReply:
        hang = not reached.is_set()
        reached.set()
        return ProviderReply(fault="hang") if hang else ProviderReply(body=b"next")

    async with FakeProvider(answer=answer) as provider:
        task = asyncio.create_task(transport.send(ask(provider.url), timeout=30))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await transport.send(ask(provider.url), timeout=5)).body == b"next"


def test_it_needs_no_loop_to_be_made() -> None:
    assert AiohttpTransport().is_live


def test_the_authority_of_the_tests_is_no_one_elses() -> None:
    server, client = make_authority()
    assert isinstance(server, ssl.SSLContext)
    assert client.cert_store_stats()["x509_ca"] == 1
