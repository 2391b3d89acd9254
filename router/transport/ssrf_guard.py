"""Where a recipient's own URL may lead: to public addresses, and where the operator allows it.

Anyone may have written such a URL. It must not become a way into the network that the router
stands in, be it by an address, by a name, or by a name whose address changes between a check and
the connection: so the check is of the very address that a socket is made for.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp import AddrInfoType, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from router.channel import TargetError
from router.settings import AllowedTarget

NOT_PUBLIC = "the address leads to a network that is not public"

MAX_CONCURRENT_LOOKUPS = 2
"""Names that are looked up at a time: the system has four threads for it, under uvloop."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 as a translator writes it (RFC 6052, 2.1)."""

_CLOUD_HOST_ADDRESSES = frozenset({IPv4Address("168.63.129.16")})
"""Public by its number, and yet the machine's own host, which hands out its configuration:
https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16"""


class SSRFError(OSError):
    """No socket was made, for it would have been connected to where it may not."""

    def __init__(self) -> None:
        """Say why, and no address: the reason may be shown."""
        super().__init__(NOT_PUBLIC)


class SSRFGuard:
    """Knows which addresses are public and which others are `allowed`: host names and networks."""

    def __init__(self, allowed: Iterable[AllowedTarget] = ()) -> None:
        """Part the names from the networks."""
        targets = tuple(allowed)
        self._names = frozenset(
            _normalize_host(target) for target in targets if isinstance(target, str)
        )
        self._networks = tuple(target for target in targets if not isinstance(target, str))

    def is_allowed_host(self, host: str) -> bool:
        """Return whether a host is allowed by its name, whatever its address."""
        return _normalize_host(host) in self._names

    def make_socket(self, info: AddrInfoType) -> socket.socket:
        """Return a socket to connect to an address; raises `SSRFError` for one it may not be."""
        family, kind, protocol, _, address = info
        if not self.is_allowed_address(str(address[0])):
            raise SSRFError
        return socket.socket(family=family, type=kind, proto=protocol)

    async def find_allowed_address(self, resolver: AbstractResolver, host: str, port: int) -> str:
        """Return an address of a host that it may be reached at, for a proxy to connect to.

        Raises `TargetError` where there is none, and an OS error where the name is not known.
        """
        for result in await resolver.resolve(host, port, socket.AF_UNSPEC):
            if self.is_allowed_address(result["host"]):
                return result["host"]
        raise TargetError(NOT_PUBLIC)

    def is_allowed_address(self, address: str) -> bool:
        """Return whether an address, as the system writes it, is public or allowed."""
        parsed = ip_address(address)
        unwrapped = _embedded_ipv4(parsed)
        return _is_public(unwrapped) or any(
            candidate in network for network in self._networks for candidate in (parsed, unwrapped)
        )


class BoundedResolver(ThreadedResolver):
    """Looks few names up at a time, so that those that hang leave room for the providers'."""

    def __init__(self) -> None:
        """Look names up on the running event loop."""
        super().__init__()
        self._lookup_slots = asyncio.Semaphore(MAX_CONCURRENT_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a host's addresses; who waits may be called off, the look-up is not."""
        async with self._lookup_slots:
            return await super().resolve(host, port, family)


def _normalize_host(host: str) -> str:
    return host.lower().rstrip(".")


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address.is_reserved
        or address.is_site_local
        or address.sixtofour is not None  # given up (RFC 7526), and a way to any IPv4 address
    ):
        return False
    return address.is_global and not address.is_multicast and address not in _CLOUD_HOST_ADDRESSES
