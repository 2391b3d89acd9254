"""Recipients by the thousand: entries enrolled many a transaction; what is so already stays."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Select, bindparam, insert, select, union

from router.core.model.facts import Recipient
from router.store.db.bulk import execute_many
from router.store.db.locks import lock_all
from router.store.recipients.contacts import (
    MAX_DEVICES,
    contact_row,
    device_row,
    last_seen,
    register_device,
    remove_contact,
    set_contact,
)
from router.store.recipients.profiles import change_profile, profile_row, read_recipients, save
from router.store.recipients.validation import (
    ProfilePatch,
    RegisteredAddress,
    Registration,
    check_entry,
)
from router.store.schema.rows import AnyRow, Values
from router.store.schema.tables import contacts, is_device, recipients

_row = contacts.c
_device: Select[Any] = select(
    *(_row.uid, _row.address, _row.platform, _row.provider_id, _row.session),
    *(_row.locale, _row.timezone, _row.seen_at),
).where(is_device, _row.app_id == bindparam("app_id"))
_devices = union(  # with OR in one query, SQLite reads all devices of the app
    _device.where(_row.uid.in_(bindparam("uids", expanding=True))),
    _device.where(_row.address.in_(bindparam("tokens", expanding=True))),
)
_insert_person = insert(recipients)
_insert_contact = insert(contacts)


class RecipientRecord(Struct, frozen=True, kw_only=True):
    """What is to be known of a recipient: a change, and devices that are to be registered.

    Making one raises `RecipientInvalid` with everything that is wrong with it.
    """

    app_id: str
    uid: str
    change: ProfilePatch = ProfilePatch()
    devices: tuple[Registration, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_entry(self.uid, self.app_id, self.change, self.devices)


class _ExistingRecipients(Struct, frozen=True):
    """What there is already of the people and tokens in some entries."""

    people: dict[str, Recipient]
    devices: dict[str, AnyRow]
    """By token."""
    owned: dict[str, list[AnyRow]]
    """By uid."""


def import_recipients(
    connection: Connection, entries: Sequence[RecipientRecord], now: float
) -> list[bool]:
    """Make everything so that the entries say, in their order; return which changed anything.

    What an entry leaves out stays, a device's fields too. A device with a `seen_at` gives way to
    one that was seen later with its token or in its session.
    """
    changed: dict[int, bool] = {}
    for app_id, group in _by_app(entries):
        names = [f"{app_id}\0{entry.uid}" for _, entry in group]
        lock_all(connection, "recipient", names)
        effects = _import_batch(connection, app_id, [entry for _, entry in group], now)
        changed.update(zip((index for index, _ in group), effects, strict=True))
    return [changed[index] for index in range(len(entries))]


def compare(connection: Connection, entries: Sequence[RecipientRecord]) -> list[bool]:
    """Return which of the entries would change anything of what there is; nothing is written."""
    changed: dict[int, bool] = {}
    for app_id, group in _by_app(entries):
        existing = _read(connection, app_id, [entry for _, entry in group])
        changed.update((index, not _is_unchanged(existing, entry)) for index, entry in group)
    return [changed[index] for index in range(len(entries))]


def _by_app(
    entries: Sequence[RecipientRecord],
) -> Iterator[tuple[str, list[tuple[int, RecipientRecord]]]]:
    """Yield the entries of each app with their places; no app knows of another."""
    numbered = sorted(enumerate(entries), key=lambda pair: pair[1].app_id)
    for app_id, group in groupby(numbered, key=lambda pair: pair[1].app_id):
        yield app_id, list(group)


def _import_batch(
    connection: Connection, app_id: str, entries: Sequence[RecipientRecord], now: float
) -> Iterator[bool]:
    existing = _read(connection, app_id, entries)
    uids, tokens = set(existing.people), set(existing.devices)
    new: list[RecipientRecord] = []
    is_stale = False
    for entry in entries:
        if _is_new(entry, uids, tokens):
            new.append(entry)
            changed = True
        else:
            is_stale = is_stale or bool(new)
            _insert(connection, new, now)
            new = []
            mine = _read(connection, app_id, [entry]) if is_stale else existing
            changed = not _is_unchanged(mine, entry)
            if changed:
                _apply(connection, mine, entry, now)
                is_stale = True
        uids.add(entry.uid)
        tokens.update(device.address for device in entry.devices)
        yield changed
    _insert(connection, new, now)


def _is_new(entry: RecipientRecord, uids: Collection[str], tokens: Collection[str]) -> bool:
    """Return whether nothing of an entry was heard of: it cannot move or replace anything."""
    return (
        entry.uid not in uids
        and len(entry.devices) <= MAX_DEVICES
        and not any(device.address in tokens for device in entry.devices)
    )


def _insert(connection: Connection, entries: Iterable[RecipientRecord], now: float) -> None:
    people: list[Values] = []
    addresses: list[Values] = []
    for entry in entries:
        owner: Values = {"app_id": entry.app_id, "uid": entry.uid}
        nobody = Recipient(app_id=entry.app_id, uid=entry.uid)
        people.append(profile_row(change_profile(nobody, entry.change)))
        addresses += [
            {
                **owner,
                **_PLAIN,
                **contact_row(kind, address, registered),
                "id": uuid4().hex,
                "seen_at": now,
            }
            for kind, address, registered in entry.change.addresses()
            if address is not None
        ]
        addresses += [
            {
                **owner,
                **_AS_KEPT,
                **device_row(device),
                "id": uuid4().hex,
                "seen_at": last_seen(device, now),
            }
            for device in entry.devices
        ]
    execute_many(connection, _insert_person, people)
    execute_many(connection, _insert_contact, addresses)


def _apply(
    connection: Connection, existing: _ExistingRecipients, entry: RecipientRecord, now: float
) -> None:
    app_id, uid = entry.app_id, entry.uid
    person = existing.people.get(uid)
    owner = person or Recipient(app_id=app_id, uid=uid)
    profile = change_profile(owner, entry.change)
    if person is None or profile != person:
        save(connection, profile)
    for kind, address, registered in _other_addresses(person, entry.change):
        if address is None:
            remove_contact(connection, owner, kind, now)
        else:
            set_contact(connection, owner, contact_row(kind, address, registered), now)
    for device in entry.devices:
        current = _read(connection, app_id, [entry])  # one may have taken another's place
        if not _is_registered(current, uid, device):
            merged = _merged(device, uid, current)
            register_device(connection, app_id, uid, merged, now)


def _is_unchanged(existing: _ExistingRecipients, entry: RecipientRecord) -> bool:
    """Return whether everything is already as an entry says."""
    person = existing.people.get(entry.uid)
    return (
        person is not None
        and change_profile(person, entry.change) == person
        and not any(_other_addresses(person, entry.change))
        and all(_is_registered(existing, entry.uid, device) for device in entry.devices)
    )


def _other_addresses(
    person: Recipient | None, change: ProfilePatch
) -> Iterator[tuple[str, str | None, RegisteredAddress]]:
    contacts = person.contacts if person else ()
    addresses = {
        contact.kind: (contact.address, RegisteredAddress(raw=contact.raw, country=contact.country))
        for contact in contacts
        if contact.device is None
    }
    for kind, address, registered in change.addresses():
        if addresses.get(kind, (None, registered)) != (address, registered):
            yield kind, address, registered


def _is_registered(existing: _ExistingRecipients, uid: str, device: Registration) -> bool:
    """Return whether a device is there as it should be, or somebody was seen there later."""
    row = existing.devices.get(device.address)
    seen_at = device.seen_at
    if seen_at is not None and any(
        contact.seen_at > seen_at for contact in _in_the_way(existing, uid, device)
    ):
        return True
    if row is None or row.uid != uid or (seen_at is not None and row.seen_at < seen_at):
        return False
    wanted = device_row(_merged(device, uid, existing))
    return all(getattr(row, name) == wanted[name] for name in _FIELDS)


def _in_the_way(existing: _ExistingRecipients, uid: str, device: Registration) -> Iterator[AnyRow]:
    """Yield the device with the same token, and those in the same place of the same session."""
    if device.address in existing.devices:
        yield existing.devices[device.address]
    wanted = device_row(device)
    for row in existing.owned.get(uid, ()) if wanted["session"] else ():
        if all(getattr(row, name) == wanted[name] for name in _PLACE):
            yield row


def _merged(device: Registration, uid: str, existing: _ExistingRecipients) -> Registration:
    """Return a device with what is known of it where nothing is said."""
    row = existing.devices.get(device.address)
    if row is None or row.uid != uid:
        return device
    return replace(
        device,
        session=device.session or ("" if device.auth_token else row.session),
        provider_id=device.provider_id or row.provider_id,
        timezone=device.timezone or row.timezone,
        locale=device.locale or row.locale,
    )


def _read(
    connection: Connection, app_id: str, entries: Sequence[RecipientRecord]
) -> _ExistingRecipients:
    uids = list({entry.uid for entry in entries})
    tokens = list({device.address for entry in entries for device in entry.devices})
    rows = connection.execute(_devices, {"app_id": app_id, "uids": uids, "tokens": tokens}).all()
    owned: dict[str, list[AnyRow]] = {}
    for row in rows:
        owned.setdefault(row.uid, []).append(row)
    return _ExistingRecipients(
        people=read_recipients(connection, app_id, uids),
        devices={row.address: row for row in rows},
        owned=owned,
    )


_PLACE = ("platform", "provider_id", "session")
_FIELDS = (*_PLACE, "locale", "timezone")
_PLAIN: Values = dict.fromkeys(_FIELDS, "")
_AS_KEPT: Values = {"raw": "", "country": ""}
