"""Addresses that recipients are registered with, written as their channels write them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from router.core.model.address import Address, read_address
from router.core.rules.ruleset import ChannelSchema, Ruleset
from router.store.errors import RequestFault
from router.store.recipients.validation import (
    AS_KEPT,
    DEVICE_KIND,
    ProfilePatch,
    RegisteredAddress,
    is_sound_text,
)

Read = Callable[[str, str], Address]
"""Returns an address as a channel writes it, by the country it is read in."""


class AddressNormalizer(Struct, frozen=True, kw_only=True):
    """Reads the addresses of a kind as the channels of that kind do.

    Of a kind that no channel of the rules sends to, the plugins are asked; while there are none,
    addresses stay as they are.
    """

    schemas: Collection[ChannelSchema] = ()
    ruleset: Ruleset | None = None

    def needs_country(self, change: ProfilePatch) -> bool:
        """Return whether some address of a change cannot be read without a country."""
        results = (self._read(kind, address, "") for kind, address in _to_read(change))
        return any(address.fault for address in results)

    def normalize(
        self, change: ProfilePatch, app_id: str, country: str
    ) -> tuple[ProfilePatch, list[RequestFault]]:
        """Return a change with its addresses in the form that is sent to, and what is wrong.

        `country` is the recipient's own; without one the app's counts.
        """
        if self.ruleset is not None:
            country = self.ruleset.country_of(app_id, country)
        contacts, registered = dict(change.contacts or {}), dict(change.registered)
        faults: list[RequestFault] = []
        for kind, address in _to_read(change):
            result = self._read(kind, address, country)
            if result.fault:
                faults.append(RequestFault(f"$.contacts.{kind}", result.fault))
                continue
            contacts[kind] = result.address
            is_kept = result.address == address and not result.country
            if not is_kept:
                registered[kind] = RegisteredAddress(raw=address, country=result.country)
            elif registered.get(kind) == AS_KEPT:
                del registered[kind]
        if not contacts:
            return change, faults
        return replace(change, contacts=contacts, registered=registered), faults

    def _read(self, kind: str, raw: str, country: str) -> Address:
        """Return an address as a channel that takes it writes it; as it is, if some do."""
        results = [read(raw, country) for read in self._readers(kind)]
        taken = [address for address in results if not address.fault]
        written = (address for address in taken if address.address != raw)
        return next(written, None) or next(iter(taken or results), Address(address=raw, raw=raw))

    def _readers(self, kind: str) -> Sequence[Read]:
        specs = self.ruleset.channels.values() if self.ruleset else ()
        readers: list[Read] = [spec.read_address for spec in specs if spec.address_kind == kind]
        return readers or [
            partial(read_address, schema.normalize_address, None)
            for schema in self.schemas
            if schema.address_kind == kind
        ]


def _to_read(change: ProfilePatch) -> Iterator[tuple[str, str]]:
    for kind, address, _ in change.addresses():
        if address is not None and kind != DEVICE_KIND and is_sound_text(address):
            yield kind, address
