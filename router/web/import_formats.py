"""Recipients as files hold them: JSON lines of ours, CometChat's own lists, rows of a table."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from router.core.model.payload import Json
from router.core.rules.ruleset import ChannelSchema
from router.store.errors import Fault, RecipientInvalid
from router.store.recipients.repository import Entry
from router.store.recipients.validation import Registration
from router.web.addresses import Addresses
from router.web.problems import Refused
from router.web.recipient_schemas import (
    RecipientEntry,
    change_in,
    device_faults,
    every_fault,
    kind_faults,
    registration_in,
)
from router.web.validation import read_json, read_value

_NAMES = {"uid": "$.uid"}
"""The uid stands in the path of other requests, and in the body here."""


class Reading(NamedTuple):
    """What a line says, and what is wrong with it."""

    entries: Sequence[Entry] = ()
    faults: Sequence[Fault] = ()


class Defaults(Struct, frozen=True, kw_only=True):
    """What a line leaves to the import.

    `app_id` is the app of a line that names none, and `unclear` says why there is none.
    `addresses` know what plugins there are and in which form they take addresses; while there are
    none, anybody will do.
    """

    app_id: str | None = None
    unclear: str = ""
    addresses: Addresses = Addresses()

    @property
    def schemas(self) -> Collection[ChannelSchema]:
        """Return what the plugins say of their channels."""
        return self.addresses.schemas


class PushToken(Struct, frozen=True, kw_only=True, rename="camel"):
    """A push token as CometChat's REST API lists it, or takes it.

    Source: CometChat's REST API, "List push tokens" and "Register push token".
    """

    uid: str
    platform: str
    push_token: str = ""
    fcm_token: str = ""
    device_token: str = ""
    voip_token: str = ""
    auth_token: str = ""
    provider_id: str = ""
    timezone: str = ""
    created_at: Annotated[datetime, Meta(tz=True)] | None = None
    updated_at: Annotated[datetime, Meta(tz=True)] | None = None


def read_line(line: bytes, defaults: Defaults) -> Reading:
    """Return the recipient that a line of JSON holds."""
    try:
        asked = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _caught(lambda: _entry(read_value(read_json(line), RecipientEntry), defaults))
    return _caught(lambda: _entry(asked, defaults))


def read_object(value: Json, defaults: Defaults) -> Reading:
    """Return the recipient that a JSON object holds."""
    return _caught(lambda: _entry(read_value(value, RecipientEntry), defaults))


def read_tokens(line: bytes, defaults: Defaults) -> Reading:
    """Return the push tokens that a line holds: an answer of CometChat, its list, or one of them.

    A token that cannot be does not take the others of its line along.
    """
    try:
        value = read_json(line)
    except Refused as refused:
        return Reading(faults=refused.body.problems)
    path = "$"
    for name in ("data", "pushTokens"):
        if isinstance(value, dict) and name in value:
            value, path = value[name], f"{path}.{name}"
    rows = value if isinstance(value, list) else [value]
    entries: list[Entry] = []
    faults: list[Fault] = []
    for index, row in enumerate(rows):
        read = _read_token(row, defaults)
        place = f"{path}[{index}]" if isinstance(value, list) else path
        entries += read.entries
        faults += [_moved(fault, place) for fault in read.faults]
    return Reading(entries, faults)


def _read_token(row: Json, defaults: Defaults) -> Reading:
    def read() -> Entry:
        token = read_value(_told(row), PushToken)
        seen = token.updated_at or token.created_at
        device = Registration(
            platform=token.platform,
            address=token.push_token or token.fcm_token or token.device_token or token.voip_token,
            auth_token=token.auth_token,
            provider_id=token.provider_id,
            timezone=token.timezone,
            seen_at=seen.timestamp() if seen else None,
        )
        with every_fault(_device_faults((device,), defaults)):
            return Entry(app_id=_app(defaults), uid=token.uid, devices=(device,))

    return _caught(read, {"$.devices[0].token": "$.pushToken", "$.devices[0]": "$", **_NAMES})


def _told(row: Json) -> Json:
    """Return what a row tells that is of use; what is null is not told."""
    if not isinstance(row, dict):
        return row
    return {name: row[name] for name in _TOLD if row.get(name) is not None}


def _entry(asked: RecipientEntry, defaults: Defaults) -> Entry:
    change = change_in(asked)
    devices = tuple(map(registration_in, asked.devices))
    faults = chain(kind_faults(change, defaults.schemas), _device_faults(devices, defaults))
    try:
        with every_fault(faults):
            return Entry(
                app_id=asked.app_id or _app(defaults), uid=asked.uid, change=change, devices=devices
            )
    except RecipientInvalid as invalid:  # whoever it is: what is wrong is told at once
        app_id = asked.app_id or defaults.app_id or ""
        _, further = defaults.addresses.normalize(change, app_id, change.country or "")
        raise RecipientInvalid([*invalid.faults, *further]) from None


def _device_faults(devices: Sequence[Registration], defaults: Defaults) -> Iterator[Fault]:
    for index, device in enumerate(devices):
        for fault in device_faults(device, defaults.schemas):
            yield _moved(fault, f"$.devices[{index}]")


def _app(defaults: Defaults) -> str:
    if defaults.app_id is None:
        raise RecipientInvalid([Fault("$.appId", defaults.unclear)])
    return defaults.app_id


def _caught(read: Callable[[], Entry], names: Mapping[str, str] = _NAMES) -> Reading:
    """Return what can be read, or its faults; `names` has what parts of paths are called."""
    try:
        return Reading(entries=[read()])
    except Refused as refused:
        faults = refused.body.problems
    except RecipientInvalid as invalid:
        faults = invalid.faults
    return Reading(faults=[Fault(_renamed(fault.path, names), fault.reason) for fault in faults])


def _renamed(path: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if path.startswith(old):
            return new + path.removeprefix(old)
    return path


def _moved(fault: Fault, place: str) -> Fault:
    return Fault(place + fault.path.removeprefix("$"), fault.reason)


_decoder = msgspec.json.Decoder(RecipientEntry)
_TOLD = [field.encode_name for field in msgspec.structs.fields(PushToken)]
