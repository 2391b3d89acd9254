"""Addresses as recipients, payloads and rules bring them, and as their channels write them."""

from typing import Any, Protocol

from msgspec import Struct


class Normalized(Struct, frozen=True):
    """The one form of an address that its provider takes; without one, `fault` says why."""

    address: str = ""
    fault: str = ""


class Normalize(Protocol):
    """Writes an address as the channels of a plugin do."""

    def __call__(
        self,
        settings: Any,  # noqa: ANN401 - an instance of the plugin's own class
        address: str,
        *,
        country: str,
        is_fixed: bool,
    ) -> Normalized:
        """Return the address by the channel's settings (None: of no channel yet).

        `country` is the one it is read in, empty where none is known. `is_fixed` says that the
        operator wrote it, and no recipient.
        """


class Address(Struct, frozen=True, kw_only=True):
    """An address with the text it was read from.

    `country` is the one that was assumed to read it, empty where the text stands by itself.
    Where nothing can be sent to it, `fault` says why and `address` is empty.
    """

    address: str = ""
    raw: str = ""
    country: str = ""
    fault: str = ""


def name_address_fault(fault: str) -> str:
    """Return the reason of a delivery to an address that nothing can be sent to."""
    return f"invalid_address: {fault}"


def read_address(
    normalize: Normalize,
    settings: Any,  # noqa: ANN401 - as above
    raw: str,
    country: str = "",
    *,
    is_fixed: bool = False,
) -> Address:
    """Return an address as its channel writes it; a country is assumed only where it has to be."""
    address, assumed = normalize(settings, raw, country="", is_fixed=is_fixed), ""
    if address.fault and country:
        address = normalize(settings, raw, country=country, is_fixed=is_fixed)
        assumed = country
    if address.fault:
        return Address(raw=raw, fault=address.fault)
    return Address(address=address.address, raw=raw, country=assumed)
