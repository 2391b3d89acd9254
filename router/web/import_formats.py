"""Recipients as files hold them: JSON lines of ours, CometChat's own lists, rows of a table."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from router.core.model.payload import Json
from router.core.rules.ruleset import ChannelSchema
from router.store.errors import RecipientInvalid, RequestFault
from router.store.recipients.repository import RecipientRecord
from router.store.recipients.validation import Registration
from router.web.addresses import AddressNormalizer
from router.web.problems import HTTPError
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


class ParsedLine(NamedTuple):
    """What a line says, and what is wrong with it."""

    entries: Sequence[RecipientRecord] = ()
    faults: Sequence[RequestFault] = ()


class ImportDefaults(Struct, frozen=True, kw_only=True):
    """What a line leaves to the import.

    `app_id` is the app of a line that names none, and `unclear` says why there is none.
    `addresses` know what plugins there are and in which form they take addresses; while there are
    none, anybody will do.
    """

    app_id: str | None = None
    unclear: str = ""
    addresses: AddressNormalizer = AddressNormalizer()

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


def read_line(line: bytes, defaults: ImportDefaults) -> ParsedLine:
    """Return the recipient that a line of JSON holds."""
    try:
        entry = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _collect_faults(
            lambda: _to_record(read_value(read_json(line), RecipientEntry), defaults)
        )
    return _collect_faults(lambda: _to_record(entry, defaults))


def read_object(value: Json, defaults: ImportDefaults) -> ParsedLine:
    """Return the recipient that a JSON object holds."""
    return _collect_faults(lambda: _to_record(read_value(value, RecipientEntry), defaults))


def read_tokens(line: bytes, defaults: ImportDefaults) -> ParsedLine:
    """Return the push tokens that a line holds: an answer of CometChat, its list, or one of them.

    A token that cannot be does not take the others of its line along.
    """
    try:
        value = read_json(line)
    except HTTPError as refused:
        return ParsedLine(faults=refused.body.problems)
    path = "$"
    for name in ("data", "pushTokens"):
        if isinstance(value, dict) and name in value:
            value, path = value[name], f"{path}.{name}"
    rows = value if isinstance(value, list) else [value]
    entries: list[RecipientRecord] = []
    faults: list[RequestFault] = []
    for index, row in enumerate(rows):
        read = _read_token(row, defaults)
        place = f"{path}[{index}]" if isinstance(value, list) else path
        entries += read.entries
        faults += [_prefix_path(fault, place) for fault in read.faults]
    return ParsedLine(entries, faults)


def _read_token(row: Json, defaults: ImportDefaults) -> ParsedLine:
    def read() -> RecipientRecord:
        token = read_value(_known_values(row), PushToken)
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
            return RecipientRecord(app_id=_app(defaults), uid=token.uid, devices=(device,))

    return _collect_faults(
        read, {"$.devices[0].token": "$.pushToken", "$.devices[0]": "$", **_NAMES}
    )


def _known_values(row: Json) -> Json:
    """Return what a row tells that is of use; what is null is not told."""
    if not isinstance(row, dict):
        return row
    return {name: row[name] for name in _TOLD if row.get(name) is not None}


def _to_record(entry: RecipientEntry, defaults: ImportDefaults) -> RecipientRecord:
    change = change_in(entry)
    devices = tuple(map(registration_in, entry.devices))
    faults = chain(kind_faults(change, defaults.schemas), _device_faults(devices, defaults))
    try:
        with every_fault(faults):
            return RecipientRecord(
                app_id=entry.app_id or _app(defaults), uid=entry.uid, change=change, devices=devices
            )
    except RecipientInvalid as invalid:  # whoever it is: what is wrong is told at once
        app_id = entry.app_id or defaults.app_id or ""
        _, further = defaults.addresses.normalize(change, app_id, change.country or "")
        raise RecipientInvalid([*invalid.faults, *further]) from None


def _device_faults(
    devices: Sequence[Registration], defaults: ImportDefaults
) -> Iterator[RequestFault]:
    for index, device in enumerate(devices):
        for fault in device_faults(device, defaults.schemas):
            yield _prefix_path(fault, f"$.devices[{index}]")


def _app(defaults: ImportDefaults) -> str:
    if defaults.app_id is None:
        raise RecipientInvalid([RequestFault("$.appId", defaults.unclear)])
    return defaults.app_id


def _collect_faults(
    read: Callable[[], RecipientRecord], names: Mapping[str, str] = _NAMES
) -> ParsedLine:
    """Return what can be read, or its faults; `names` has what parts of paths are called."""
    try:
        return ParsedLine(entries=[read()])
    except HTTPError as refused:
        faults = refused.body.problems
    except RecipientInvalid as invalid:
        faults = invalid.faults
    return ParsedLine(
        faults=[RequestFault(_renamed(fault.path, names), fault.reason) for fault in faults]
    )


def _renamed(path: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if path.startswith(old):
            return new + path.removeprefix(old)
    return path


def _prefix_path(fault: RequestFault, place: str) -> RequestFault:
    return RequestFault(place + fault.path.removeprefix("$"), fault.reason)


_decoder = msgspec.json.Decoder(RecipientEntry)
_TOLD = [field.encode_name for field in msgspec.structs.fields(PushToken)]
