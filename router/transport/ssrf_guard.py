"""A guard against server-side request forgery (SSRF) by a recipient's own URL.

Anyone may have written such a URL. It reaches public addresses and the targets that the operator
allows, never the network of the router: not by an address, not by a name, and not by a name whose
address changes between a check and the connection (DNS rebinding). For this reason the guard
checks the very address that a socket is made for.
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
"""A public address by its number that reaches the host of an Azure machine and its configuration:
https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16"""


class SSRFError(OSError):
    """The guard refuses to make a socket for an address; the text names no address."""

    def __init__(self) -> None:
        super().__init__(NOT_PUBLIC)


class SSRFGuard:
    """Allows public addresses and the `allowed` host names and networks."""

    def __init__(self, allowed: Iterable[AllowedTarget] = ()) -> None:
        targets = tuple(allowed)
        self._names = frozenset(
            _normalize_host(target) for target in targets if isinstance(target, str)
        )
        self._networks = tuple(target for target in targets if not isinstance(target, str))

    def is_allowed_host(self, host: str) -> bool:
        """Return whether a host is allowed by its name, whatever its address."""
        return _normalize_host(host) in self._names

    def make_socket(self, info: AddrInfoType) -> socket.socket:
        """Return a socket for an address; raises `SSRFError` where the address is not allowed."""
        family, kind, protocol, _, address = info
        if not self.is_allowed_address(str(address[0])):
            raise SSRFError
        return socket.socket(family=family, type=kind, proto=protocol)

    async def find_allowed_address(self, resolver: AbstractResolver, host: str, port: int) -> str:
        """Return an allowed address of a host, for a proxy to connect to.

        Raises `TargetError` where no address is allowed, and an OS error for an unknown name.
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
    """Limits concurrent look-ups, so that names that hang leave threads for the providers' names.

    Names of recipients are written by strangers, and a look-up that hangs holds one of the few
    threads that all look-ups of the process share.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lookup_slots = asyncio.Semaphore(MAX_CONCURRENT_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a host's addresses; cancelling the caller does not end the look-up itself."""
        async with self._lookup_slots:
            return await super().resolve(host, port, family)


def _normalize_host(host: str) -> str:
    return host.lower().rstrip(".")


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address embeds, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address.is_reserved
        or address.is_site_local
        or address.sixtofour is not None  # deprecated (RFC 7526), and embeds any IPv4 address
    ):
        return False
    return address.is_global and not address.is_multicast and address not in _CLOUD_HOST_ADDRESSES
