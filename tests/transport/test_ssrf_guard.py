"""A recipient's own URL leads to public addresses, and to nothing behind the router."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from aiohttp import AddrInfoType
from hypothesis import assume, given
from hypothesis import strategies as st

from router.bridge import Request, TargetError, TransportError
from router.testing import FakeProvider, ProviderReply
from router.transport.http import AiohttpTransport
from router.transport.ssrf_guard import NOT_PUBLIC, SSRFError, SSRFGuard

PRIVATE = (
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::1",
    "2001:0:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
)
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200a",
)
v4 = st.builds(IPv4Address, st.integers(0, 2**32 - 1))


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_barred(address: str) -> None:
    assert not SSRFGuard().is_allowed_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_let_through(address: str) -> None:
    assert SSRFGuard().is_allowed_address(address)


@given(address=v4)
def test_an_address_is_judged_alike_however_it_is_written(address: IPv4Address) -> None:
    number, bare = int(address), SSRFGuard().is_allowed_address(str(address))
    written = (
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x0064_FF9B << 96) | number),
    )
    assert {SSRFGuard().is_allowed_address(str(each)) for each in written} == {bare}


@given(address=v4 | st.builds(IPv6Address, st.integers(0, 2**128 - 1)))
def test_nothing_that_the_registries_call_private_is_let_through(
    address: IPv4Address | IPv6Address,
) -> None:
    told = ip_address(str(address))
    assume(not isinstance(told, IPv6Address) or told.ipv4_mapped is None)
    if told.is_private or told.is_loopback or told.is_link_local or told.is_multicast:
        assert not SSRFGuard().is_allowed_address(str(address))


@given(address=v4, length=st.integers(0, 32))
def test_an_allowed_network_is_let_through_and_what_lies_beside_it_is_not(
    address: IPv4Address, length: int
) -> None:
    network = IPv4Network((int(address), length), strict=False)
    guard = SSRFGuard([network])
    assert guard.is_allowed_address(str(network[0]))
    assert guard.is_allowed_address(f"::ffff:{network[-1]}")
    for beside in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= beside < 2**32:
            text = str(IPv4Address(beside))
            assert guard.is_allowed_address(text) is SSRFGuard().is_allowed_address(text)


def resolving_to(*addresses: str) -> list[AddrInfoType]:
    return [
        (
            socket.AF_INET6 if ":" in address else socket.AF_INET,
            socket.SOCK_STREAM,
            socket.IPPROTO_TCP,
            "",
            (address, 443),
        )
        for address in addresses
    ]


def test_no_socket_is_made_for_a_barred_address() -> None:
    for info in resolving_to(*PRIVATE):
        with pytest.raises(SSRFError, match=NOT_PUBLIC):
            SSRFGuard().make_socket(info)
    for info in resolving_to("1.1.1.1"):
        SSRFGuard().make_socket(info).close()


@asynccontextmanager
async def opened(
    *allowed: str | IPv4Network | IPv6Network, rewrite: dict[str, str] | None = None
) -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(allowed=allowed, rewrite=rewrite)
    try:
        yield transport
    finally:
        await transport.aclose()


def spellings(port: str) -> Iterable[str]:
    hosts = (
        *("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1", "2130706433"),
        *("0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::]"),
        *("%6c%6fcalhost", "127.0.0.1%2f", "①②⑦.0.0.1", "ⓛocalhost"),
        *("user@127.0.0.1", "public.example:80@127.0.0.1"),
    )
    for host in hosts:
        yield f"http://{host}:{port}/"


async def test_no_spelling_of_this_machine_reaches_it() -> None:
    async with FakeProvider() as provider, opened() as transport:
        port = provider.url.rpartition(":")[2]
        for url in spellings(port):
            with pytest.raises(TransportError) as caught:
                await transport.send(Request(method="POST", url=url, guarded=True), timeout=5)
            assert caught.value.sent is False, url
        with pytest.raises(TargetError, match=NOT_PUBLIC):
            await transport.send(Request(method="GET", url=provider.url, guarded=True), timeout=5)
    assert provider.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/", "//x/"])
async def test_nothing_but_http_is_spoken(url: str) -> None:
    async with opened("127.0.0.1") as transport:
        with pytest.raises(TargetError, match="must be http:// or https://"):
            await transport.send(Request(method="GET", url=url, guarded=True), timeout=5)


@pytest.mark.parametrize("allowed", ["LocalHost", ip_network("127.0.0.0/8")])
async def test_what_the_operator_allows_is_reached(allowed: str | IPv4Network) -> None:
    async with FakeProvider() as provider, opened(allowed) as transport:
        url = provider.url.replace("127.0.0.1", "localhost")
        answer = await transport.send(Request(method="GET", url=url, guarded=True), timeout=5)
    assert answer.status == 200


async def test_a_name_is_allowed_and_its_address_is_not() -> None:
    async with FakeProvider() as provider, opened("localhost") as transport:
        with pytest.raises(TargetError):
            await transport.send(Request(method="GET", url=provider.url, guarded=True), timeout=5)


async def test_a_redirect_leads_nowhere() -> None:
    async with (
        FakeProvider() as inside,
        FakeProvider(ProviderReply(status=307, headers={"Location": inside.url})) as outside,
        opened("localhost") as transport,
    ):
        url = outside.url.replace("127.0.0.1", "localhost")
        answer = await transport.send(Request(method="POST", url=url, guarded=True), timeout=5)
    assert answer.status == 307
    assert inside.requests == []


async def test_a_connection_that_was_opened_without_a_guard_is_not_used_with_one() -> None:
    async with FakeProvider() as provider, opened() as transport:
        request = Request(method="GET", url=provider.url)
        assert (await transport.send(request, timeout=5)).status == 200
        with pytest.raises(TargetError):
            await transport.send(Request(method="GET", url=provider.url, guarded=True), timeout=5)
        assert (await transport.send(request, timeout=5)).status == 200
    assert len(provider.requests) == 2


async def test_a_name_whose_address_changes_is_judged_by_the_one_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is looked up first does not count: the second look-up is what a rebinding gives."""
    answers = [resolving_to("1.1.1.1"), resolving_to("127.0.0.1")]
    asked: list[object] = []

    def look_up(host: object, *_: object, **__: object) -> list[AddrInfoType]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    look_up("rebinding.example")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with FakeProvider() as provider, opened() as transport:
        url = provider.url.replace("127.0.0.1", "rebinding.example")
        with pytest.raises(TargetError):
            await transport.send(Request(method="GET", url=url, guarded=True), timeout=5)
    assert asked == ["rebinding.example"] * 2
    assert provider.requests == []


async def test_names_that_hang_leave_room_for_the_providers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_up, over = socket.getaddrinfo, threading.Event()

    def hang(host: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever the system's takes
        if host.startswith("hangs"):
            over.wait(30)
        return look_up("127.0.0.1" if host.startswith("hangs") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    async with FakeProvider() as provider, opened() as transport:
        asked = [
            transport.send(
                Request(method="GET", url=f"https://hangs{number}.example/", guarded=True),
                timeout=1,
            )
            for number in range(100)
        ]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        url = provider.url.replace("127.0.0.1", "localhost")
        try:
            await asyncio.sleep(0)
            assert (await transport.send(Request(method="GET", url=url), timeout=10)).status == 200
            outcomes = await waiting
        finally:
            over.set()
    assert {str(outcome) for outcome in outcomes} == {"timed out"}


@pytest.mark.parametrize("way", [{"http2": True}, {"method": "SMTP"}])
async def test_what_cannot_be_guarded_is_not_sent(way: dict[str, object]) -> None:
    asked = {"method": "POST", "url": "https://127.0.0.1/", "guarded": True, **way}
    async with opened() as transport:
        with pytest.raises(TargetError):
            await transport.send(Request(**asked), timeout=5)  # type: ignore[arg-type]  # each is right


async def test_a_host_that_a_test_sends_elsewhere_is_reached_there() -> None:
    async with FakeProvider() as provider, opened(rewrite={"a.example": provider.url}) as transport:
        request = Request(method="GET", url="https://a.example/", guarded=True)
        assert (await transport.send(request, timeout=5)).status == 200
