"""What goes out goes through the proxy that the environment names, by a real proxy on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from router.bridge import Request, TargetError, TransportError, UntrustedServerError
from router.channel import Secret
from router.settings import AllowedTarget, Proxies, Proxy, read_proxies
from router.testing import FakeProvider
from router.transport.http import AiohttpTransport
from tests.fakes.http2 import Http2Provider
from tests.fakes.proxy import FakeProxy
from tests.transport.certificate import make_authority, read_authority
from tests.transport.trusting_client import ask

PUBLIC = "93.184.215.14"


@asynccontextmanager
async def going_through(
    proxies: Proxies, allowed: Iterable[AllowedTarget] = ()
) -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(authorities=read_authority(), proxies=proxies, allowed=allowed)
    try:
        yield transport
    finally:
        await transport.aclose()


def both(proxy: Proxy) -> Proxies:
    return Proxies(http=proxy, https=proxy)


def serve_tls() -> FakeProvider:
    return FakeProvider(tls=make_authority()[0])


def post(url: str, **more: object) -> Request:
    return Request(method="POST", url=url, body=b"hello", **more)  # type: ignore[arg-type]  # booleans


async def test_https_goes_through_a_tunnel_that_is_used_again() -> None:
    async with (
        serve_tls() as provider,
        FakeProxy() as proxy,
        going_through(both(proxy.proxy)) as transport,
    ):
        for _ in range(3):
            answer = await transport.send(post(f"{provider.url}/a%2Fb"), timeout=10)
            assert answer.status == 200
        assert [request.url for request in provider.requests] == [f"{provider.url}/a%2Fb"] * 3
        assert proxy.asked == [f"CONNECT {provider.url[8:]} HTTP/1.1"]


async def test_http_is_asked_of_the_proxy_by_its_whole_url() -> None:
    async with (
        FakeProvider() as provider,
        FakeProxy() as proxy,
        going_through(both(proxy.proxy)) as transport,
    ):
        assert (await transport.send(post(f"{provider.url}/x"), timeout=10)).status == 200
        assert proxy.asked == [f"POST {provider.url}/x HTTP/1.1"]


async def test_http2_goes_through_a_tunnel_that_many_requests_share() -> None:
    async with (
        Http2Provider() as provider,
        FakeProxy() as proxy,
        going_through(both(proxy.proxy)) as transport,
    ):
        sends = (transport.send(ask(provider), timeout=10) for _ in range(20))
        assert {answer.status for answer in await asyncio.gather(*sends)} == {200}
        assert proxy.asked == [f"CONNECT {provider.url[8:]} HTTP/1.1"]
        assert len(provider.connections) == 1


@pytest.mark.parametrize("http2", [False, True])
async def test_user_and_password_are_shown_to_the_proxy_alone(*, http2: bool) -> None:
    async with (
        serve_tls() as one,
        Http2Provider() as other,
        FakeProxy(user="ops", password="p@ss:word") as proxy,
    ):
        right = Proxy(host="127.0.0.1", port=proxy.port, user="ops", password=Secret("p@ss:word"))
        async with going_through(both(right)) as transport:
            provider = other if http2 else one
            request = post(provider.url, http2=http2)
            assert (await transport.send(request, timeout=10)).status == 200
            names = {name.lower() for name in provider.requests[0].headers}
            assert "proxy-authorization" not in names
        async with going_through(both(proxy.proxy)) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.send(request, timeout=10)
        assert (caught.value.reason, caught.value.sent) == (
            "the proxy refused the connection",
            False,
        )
        assert len(provider.requests) == 1


@pytest.mark.parametrize("http2", [False, True])
async def test_a_proxy_that_is_not_there_was_not_sent_to(*, http2: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = Proxy(host="127.0.0.1", port=taken.getsockname()[1])
    async with going_through(both(nobody)) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.send(post("https://push.example.com/", http2=http2), timeout=10)
    assert (caught.value.reason, caught.value.sent) == (
        "the proxy is unreachable",
        False,
    )


@pytest.mark.parametrize("http2", [False, True])
async def test_a_proxy_that_says_nothing_was_not_sent_through(*, http2: bool) -> None:
    async with FakeProxy() as proxy, going_through(both(proxy.proxy)) as transport:
        proxy.is_mute = True
        with pytest.raises(TransportError) as caught:
            await transport.send(post("https://push.example.com/", http2=http2), timeout=0.5)
        assert proxy.asked == ["CONNECT push.example.com:443 HTTP/1.1"]
    assert (caught.value.reason, caught.value.sent) == ("timed out", False)


@pytest.mark.parametrize("http2", [False, True])
async def test_a_certificate_for_another_host_is_refused_through_a_proxy(*, http2: bool) -> None:
    async with serve_tls() as one, Http2Provider() as other:
        provider = other if http2 else one
        async with (
            FakeProxy(route=int(provider.url.rpartition(":")[2])) as proxy,
            going_through(both(proxy.proxy)) as transport,
        ):
            with pytest.raises(UntrustedServerError) as caught:
                await transport.send(post("https://push.example.com/", http2=http2), timeout=10)
            assert not provider.requests
    assert (caught.value.reason, caught.value.sent) == (
        "the server's certificate is not trusted",
        False,
    )


async def test_what_no_proxy_names_is_reached_directly() -> None:
    async with serve_tls() as provider, Http2Provider() as other, FakeProxy() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        environ = {"https_proxy": url, "NO_PROXY": "127.0.0.0/8"}
        async with going_through(read_proxies(environ)) as transport:
            assert (await transport.send(post(provider.url), timeout=10)).status == 200
            assert (await transport.send(ask(other), timeout=10)).status == 200
        assert proxy.asked == []


async def test_a_recipients_own_url_is_checked_before_the_proxy_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = {"push.example.com": PUBLIC, "inside.example.com": "10.0.0.7"}

    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        address = addresses.get(host, host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with FakeProxy() as proxy, going_through(both(proxy.proxy)) as transport:
        proxy.status = 403
        for url in (
            "https://inside.example.com/x",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://169.254.169.254/latest/",
            "http://push.example.com/x",
        ):
            with pytest.raises(TargetError):
                await transport.send(post(url, guarded=True), timeout=10)
        assert proxy.asked == []
        with pytest.raises(TransportError):
            await transport.send(post("https://push.example.com/x", guarded=True), timeout=10)
        assert proxy.asked == [f"CONNECT {PUBLIC}:443 HTTP/1.1"]


async def test_a_recipients_own_host_is_asked_for_by_its_name_within_the_tunnel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        address = "127.0.0.1" if host == "127.0.0.1" else PUBLIC
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async with serve_tls() as provider:
        port = int(provider.url.rpartition(":")[2])
        async with FakeProxy(route=port) as proxy, going_through(both(proxy.proxy)) as transport:
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            url = f"https://localhost:{port}/x"
            assert (await transport.send(post(url, guarded=True), timeout=10)).status == 200
            assert proxy.asked == [f"CONNECT {PUBLIC}:{port} HTTP/1.1"]
            assert provider.requests[0].headers["host"] == f"localhost:{port}"


async def test_a_host_that_the_operator_allows_goes_through_the_proxy_by_its_name() -> None:
    async with serve_tls() as provider:
        port = int(provider.url.rpartition(":")[2])
        async with (
            FakeProxy(route=port) as proxy,
            going_through(both(proxy.proxy), allowed=["localhost"]) as transport,
        ):
            url = f"https://localhost:{port}/x"
            assert (await transport.send(post(url, guarded=True), timeout=10)).status == 200
            assert proxy.asked == [f"CONNECT localhost:{port} HTTP/1.1"]
