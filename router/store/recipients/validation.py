"""What the API may ask of a recipient, and everything that can be wrong with it."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from router.core.errors import suggest
from router.core.model.country import find_country_fault
from router.core.model.facts import Scalar
from router.store.errors import RecipientInvalid, RequestFault
from router.store.recipients.push_subscription import subscription_faults
from router.zones import zone_names

DEVICE_KIND = "push"
"""The kind of contact a registered device is."""

MAX_ENTRIES = 200
"""How many entries a mapping or a list of a recipient may have."""
MAX_NAME_LENGTH = 255
"""Characters of the longest uid, app id, attribute name, channel or provider id."""
MAX_CONVERSATION_ID_LENGTH = 600
"""Characters of the longest conversation id."""
MAX_TEXT_LENGTH = 4096
"""Characters of the longest address, token or attribute."""
MAX_EPOCH_S = 1e12
"""No time in epoch seconds is later than this."""

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_PLATFORM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_SESSION = re.compile(r"[0-9a-f]{64}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}")


class RegisteredAddress(Struct, frozen=True, kw_only=True):
    """How an address was registered, where that is not as it is kept.

    `raw` is the text, and `country` the one in which it was read, empty where it needed none.
    """

    raw: Annotated[str, Meta(description="The text that was registered.")] = ""
    country: Annotated[str, Meta(description="Where it was read; empty: it stood by itself.")] = ""


AS_KEPT = RegisteredAddress()
"""How an address was registered that is kept as it came."""


class ProfilePatch(Struct, frozen=True, kw_only=True):
    """What to change of a recipient; what is left out stays.

    `contacts` and `attributes` are merged key by key, None removes a key. `muted` maps
    conversations to the epoch second their silence ends, None unmutes. `opt_outs` replaces the
    list of channels. None for `timezone` (an IANA name), `locale` or `country` forgets it.
    `registered` tells by kind how contacts were written that are kept otherwise.
    """

    contacts: dict[str, str | None] | UnsetType = UNSET
    attributes: dict[str, Scalar | None] | UnsetType = UNSET
    timezone: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    muted: dict[str, float | None] | UnsetType = UNSET
    opt_outs: list[str] | UnsetType = UNSET
    country: str | UnsetType | None = UNSET
    registered: Mapping[str, RegisteredAddress] = {}

    def addresses(self) -> Iterator[tuple[str, str | None, RegisteredAddress]]:
        """Yield the contacts by kind, each with how it was registered; None removes one."""
        for kind, address in (self.contacts or {}).items():
            yield kind, address, self.registered.get(kind, AS_KEPT)


class Registration(Struct, frozen=True, kw_only=True):
    """A device that logged in; `address` is its token, `auth_token` the session it belongs to.

    Both travel in bodies only; the auth token is kept as a hash, which `session` gives instead of
    it. `seen_at` is the epoch second the device was last heard of: now when None.
    """

    platform: str
    address: str
    auth_token: str = ""
    provider_id: str = ""
    timezone: str = ""
    locale: str = ""
    session: str = ""
    seen_at: float | None = None


def check_change(uid: str, app_id: str | None, change: ProfilePatch) -> None:
    """Raise `RecipientInvalid` with everything that is wrong with a change."""
    _raise_faults(*_name_faults(uid, app_id), *_change_faults(change))


def check_registration(uid: str, app_id: str | None, registration: Registration) -> None:
    """Raise `RecipientInvalid` with everything that is wrong with a registration."""
    _raise_faults(*_name_faults(uid, app_id), *_device_faults(registration))


def check_entry(
    uid: str, app_id: str, change: ProfilePatch, devices: Sequence[Registration]
) -> None:
    """Raise `RecipientInvalid` with everything that is wrong with a change and devices at once."""
    _raise_faults(
        *_name_faults(uid, app_id),
        *_change_faults(change),
        *_size_faults("$.devices", len(devices)),
        *_entry_device_faults(devices),
    )


def check_logout(uid: str, auth_token: str) -> None:
    """Raise `RecipientInvalid` for a session that cannot be."""
    _raise_faults(*_name_faults(uid, None), *_text_faults("$.authToken", auth_token))


def _change_faults(change: ProfilePatch) -> Iterator[RequestFault]:
    return chain(
        _contact_faults(change.contacts or {}),
        _registered_faults(change.registered),
        _attribute_faults(change.attributes or {}),
        _zone_faults(change.timezone or ""),
        _locale_faults(change.locale or ""),
        _mute_faults(change.muted or {}),
        _opt_out_faults(change.opt_outs or []),
        _country_faults("$.country", change.country or ""),
    )


def _device_faults(device: Registration) -> Iterator[RequestFault]:
    yield from _pattern_faults("$.platform", device.platform, _PLATFORM)
    yield from _text_faults("$.token", device.address)
    yield from subscription_faults(device.platform, device.address)
    yield from _text_faults("$.authToken", device.auth_token, needed=False)
    yield from _text_faults("$.providerId", device.provider_id, MAX_NAME_LENGTH, needed=False)
    yield from _zone_faults(device.timezone)
    yield from _locale_faults(device.locale)
    if device.session and not _SESSION.fullmatch(device.session):
        yield RequestFault("$.session", "must be a SHA-256 hash in 64 hexadecimal digits")
    if device.session and device.auth_token:
        yield RequestFault("$.session", "excludes `authToken`; give one of them")
    if device.seen_at is not None and not 0 <= device.seen_at <= MAX_EPOCH_S:
        yield RequestFault("$.seenAt", "must be an epoch second")


def _entry_device_faults(devices: Sequence[Registration]) -> Iterator[RequestFault]:
    tokens: dict[str, int] = {}
    places: dict[tuple[str, ...], int] = {}
    for index, device in enumerate(devices):
        path = f"$.devices[{index}]"
        for fault in _device_faults(device):
            yield RequestFault(path + fault.path.removeprefix("$"), fault.reason)
        if (first := tokens.setdefault(device.address, index)) != index:
            yield RequestFault(path, f"has the token of $.devices[{first}]")
        session = device.auth_token or device.session
        place = (session, device.platform, device.provider_id)
        if session and (first := places.setdefault(place, index)) != index:
            yield RequestFault(path, f"has session, platform and provider of $.devices[{first}]")


def _raise_faults(*faults: RequestFault) -> None:
    if faults:
        raise RecipientInvalid(faults)


def _name_faults(uid: str, app_id: str | None) -> Iterator[RequestFault]:
    yield from _text_faults("uid", uid, MAX_NAME_LENGTH)
    yield from _text_faults("$.appId", app_id or "", MAX_NAME_LENGTH, needed=False)


def _text_faults(
    path: str, text: str, most: int = MAX_TEXT_LENGTH, *, needed: bool = True
) -> Iterator[RequestFault]:
    if needed and not text.strip():
        yield RequestFault(path, "must not be empty")
    if len(text) > most:
        yield RequestFault(path, f"is longer than {most} characters")
    if not _is_storable(text):
        yield RequestFault(path, "contains a control character or an unpaired surrogate")


def is_sound_text(address: str) -> bool:
    """Return whether an address is a text that can be kept, whatever its channel makes of it."""
    return not any(_text_faults("", address))


def _is_storable(text: str) -> bool:
    return not any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text)


def _pattern_faults(
    path: str, text: str, pattern: re.Pattern[str], hint: str = "of letters, digits and _ -"
) -> Iterator[RequestFault]:
    if not pattern.fullmatch(text):
        yield RequestFault(path, f"must be a word {hint}")


def _size_faults(path: str, size: int) -> Iterator[RequestFault]:
    if size > MAX_ENTRIES:
        yield RequestFault(path, f"has {size} entries; at most {MAX_ENTRIES} are kept")


def _contact_faults(contacts: Mapping[str, str | None]) -> Iterator[RequestFault]:
    yield from _size_faults("$.contacts", len(contacts))
    for kind, address in contacts.items():
        path = f"$.contacts.{kind[:MAX_NAME_LENGTH]}"
        if kind == DEVICE_KIND:
            yield RequestFault(path, "is a kind of device token; register it under /devices")
            continue
        yield from _pattern_faults(path, kind, _KIND)
        if address is not None:
            yield from _text_faults(path, address)


def _registered_faults(registered: Mapping[str, RegisteredAddress]) -> Iterator[RequestFault]:
    yield from _size_faults("$.registered", len(registered))
    for kind, address in registered.items():
        path = f"$.registered.{kind[:MAX_NAME_LENGTH]}"
        yield from _text_faults(f"{path}.raw", address.raw, needed=False)
        yield from _country_faults(f"{path}.country", address.country)


def _country_faults(path: str, country: str) -> Iterator[RequestFault]:
    if country and (fault := find_country_fault(country)):
        yield RequestFault(path, fault)


def _attribute_faults(attributes: Mapping[str, Scalar | None]) -> Iterator[RequestFault]:
    yield from _size_faults("$.attributes", len(attributes))
    for name, value in attributes.items():
        path = f"$.attributes.{name[:MAX_NAME_LENGTH]}"
        yield from _text_faults(path, name, MAX_NAME_LENGTH)
        if isinstance(value, str):
            yield from _text_faults(path, value, needed=False)
        elif isinstance(value, float) and not math.isfinite(value):
            yield RequestFault(path, "must be a finite number")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield RequestFault(path, "must fit 64 bits")


def _zone_faults(zone: str) -> Iterator[RequestFault]:
    if zone and zone not in zone_names():
        hint = suggest(zone[:MAX_NAME_LENGTH], zone_names()) or "as Europe/Paris"
        yield RequestFault("$.timezone", f"must be an IANA name; {hint}")


def _locale_faults(locale: str) -> Iterator[RequestFault]:
    if locale:
        yield from _pattern_faults("$.locale", locale, _LOCALE, "as fr or pt-BR")


def _mute_faults(muted: Mapping[str, float | None]) -> Iterator[RequestFault]:
    yield from _size_faults("$.muted", len(muted))
    for conversation, until in muted.items():
        path = f"$.muted.{conversation[:MAX_NAME_LENGTH]}"
        yield from _text_faults(path, conversation, MAX_CONVERSATION_ID_LENGTH)
        if until is not None and not 0 <= until <= MAX_EPOCH_S:
            yield RequestFault(path, "must be an epoch second")


def _opt_out_faults(channels: list[str]) -> Iterator[RequestFault]:
    yield from _size_faults("$.optOuts", len(channels))
    for index, channel in enumerate(channels):
        yield from _text_faults(f"$.optOuts[{index}]", channel, MAX_NAME_LENGTH)
