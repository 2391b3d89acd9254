"""What the API may ask of a recipient, and everything that can be wrong with it."""

import math
import re
from collections.abc import Iterator, Mapping

from msgspec import UNSET, Struct, UnsetType

from router.core.errors import suggest
from router.core.facts import Scalar
from router.store.errors import Fault, RecipientInvalid
from router.zones import zone_names

DEVICE_KIND = "push"
"""The kind of contact a registered device is."""

MANY = 200
"""How many entries a mapping or a list of a recipient may have."""
NAME = 255
"""Characters of the longest uid, app id, attribute name, channel or provider id."""
CONVERSATION = 600
"""Characters of the longest conversation id."""
TEXT = 4096
"""Characters of the longest address, token or attribute."""
FAR = 1e12
"""No time in epoch seconds is later than this."""

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_PLATFORM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}")


class Change(Struct, frozen=True, kw_only=True):
    """What to change of a recipient; what is left out stays.

    `contacts` and `attributes` are merged key by key, None removes a key. `muted` maps
    conversations to the epoch second their silence ends, None unmutes. `opt_outs` replaces the
    list of channels. None for `timezone` (an IANA name) or `locale` forgets it.
    """

    contacts: dict[str, str | None] | UnsetType = UNSET
    attributes: dict[str, Scalar | None] | UnsetType = UNSET
    timezone: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    muted: dict[str, float | None] | UnsetType = UNSET
    opt_outs: list[str] | UnsetType = UNSET


class Registration(Struct, frozen=True, kw_only=True):
    """A device that logged in; `address` is its token, `auth_token` the session it belongs to.

    Both travel in bodies only; the auth token is kept as a hash.
    """

    platform: str
    address: str
    auth_token: str = ""
    provider_id: str = ""
    timezone: str = ""
    locale: str = ""


def check_change(uid: str, app_id: str | None, change: Change) -> None:
    """Raise `RecipientInvalid` with everything that is wrong with a change."""
    _refuse(
        *_name_faults(uid, app_id),
        *_contact_faults(change.contacts or {}),
        *_attribute_faults(change.attributes or {}),
        *_zone_faults(change.timezone or ""),
        *_locale_faults(change.locale or ""),
        *_mute_faults(change.muted or {}),
        *_opt_out_faults(change.opt_outs or []),
    )


def check_registration(uid: str, app_id: str | None, registration: Registration) -> None:
    """Raise `RecipientInvalid` with everything that is wrong with a registration."""
    _refuse(
        *_name_faults(uid, app_id),
        *_pattern_faults("$.platform", registration.platform, _PLATFORM, "web"),
        *_text_faults("$.token", registration.address),
        *_text_faults("$.authToken", registration.auth_token, needed=False),
        *_text_faults("$.providerId", registration.provider_id, NAME, needed=False),
        *_zone_faults(registration.timezone),
        *_locale_faults(registration.locale),
    )


def check_logout(uid: str, auth_token: str) -> None:
    """Raise `RecipientInvalid` for a session that cannot be."""
    _refuse(*_name_faults(uid, None), *_text_faults("$.authToken", auth_token))


def _refuse(*faults: Fault) -> None:
    if faults:
        raise RecipientInvalid(faults)


def _name_faults(uid: str, app_id: str | None) -> Iterator[Fault]:
    yield from _text_faults("uid", uid, NAME)
    yield from _text_faults("$.appId", app_id or "", NAME, needed=False)


def _text_faults(path: str, text: str, most: int = TEXT, *, needed: bool = True) -> Iterator[Fault]:
    if needed and not text.strip():
        yield Fault(path, "must not be empty")
    if len(text) > most:
        yield Fault(path, f"is longer than {most} characters")
    if not _is_storable(text):
        yield Fault(path, "holds a control character or half of a surrogate pair")


def _is_storable(text: str) -> bool:
    return not any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text)


def _pattern_faults(
    path: str, text: str, pattern: re.Pattern[str], hint: str = "of letters, digits and _ -"
) -> Iterator[Fault]:
    if not pattern.fullmatch(text):
        yield Fault(path, f"must be a word {hint}")


def _size_faults(path: str, size: int) -> Iterator[Fault]:
    if size > MANY:
        yield Fault(path, f"has {size} entries; at most {MANY} are kept")


def _contact_faults(contacts: Mapping[str, str | None]) -> Iterator[Fault]:
    yield from _size_faults("$.contacts", len(contacts))
    for kind, address in contacts.items():
        path = f"$.contacts.{kind[:NAME]}"
        if kind == DEVICE_KIND:
            yield Fault(path, "is for devices: register each under /devices")
            continue
        yield from _pattern_faults(path, kind, _KIND)
        if address is not None:
            yield from _text_faults(path, address)


def _attribute_faults(attributes: Mapping[str, Scalar | None]) -> Iterator[Fault]:
    yield from _size_faults("$.attributes", len(attributes))
    for name, value in attributes.items():
        path = f"$.attributes.{name[:NAME]}"
        yield from _text_faults(path, name, NAME)
        if isinstance(value, str):
            yield from _text_faults(path, value, needed=False)
        elif isinstance(value, float) and not math.isfinite(value):
            yield Fault(path, "must be a finite number")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield Fault(path, "must fit 64 bits")


def _zone_faults(zone: str) -> Iterator[Fault]:
    if zone and zone not in zone_names():
        hint = suggest(zone[:NAME], zone_names()) or "as Europe/Paris"
        yield Fault("$.timezone", f"must be an IANA name; {hint}")


def _locale_faults(locale: str) -> Iterator[Fault]:
    if locale:
        yield from _pattern_faults("$.locale", locale, _LOCALE, "as fr or pt-BR")


def _mute_faults(muted: Mapping[str, float | None]) -> Iterator[Fault]:
    yield from _size_faults("$.muted", len(muted))
    for conversation, until in muted.items():
        path = f"$.muted.{conversation[:NAME]}"
        yield from _text_faults(path, conversation, CONVERSATION)
        if until is not None and not 0 <= until <= FAR:
            yield Fault(path, "must be an epoch second")


def _opt_out_faults(channels: list[str]) -> Iterator[Fault]:
    yield from _size_faults("$.optOuts", len(channels))
    for index, channel in enumerate(channels):
        yield from _text_faults(f"$.optOuts[{index}]", channel, NAME)
