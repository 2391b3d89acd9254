"""The registry from its first recipient to its last, as an import takes it back."""

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct
from sqlalchemy import Connection, Select, func, select, tuple_

from router.store.recipients.profiles import read_recipients
from router.store.recipients.validation import ProfilePatch, RegisteredAddress, Registration
from router.store.schema.tables import contacts, is_device, recipients

_row = contacts.c
_device: Select[Any] = select(
    *(_row.uid, _row.address, _row.platform, _row.provider_id, _row.session),
    *(_row.locale, _row.timezone, _row.seen_at),
).where(is_device)


class ExportRecord(Struct, frozen=True, kw_only=True):
    """What is known of a recipient: what an import would have to say for it to be so.

    Addresses and tokens stand in it whole.
    """

    app_id: str
    uid: str
    change: ProfilePatch
    devices: tuple[Registration, ...]


def count_recipients(connection: Connection, app_id: str | None) -> int:
    """Return how many recipients there are, of one app or of all."""
    of_app = () if app_id is None else (recipients.c.app_id == app_id,)
    return int(connection.execute(select(func.count()).where(*of_app)).scalar_one())


def read_export(
    connection: Connection, app_id: str | None, after: tuple[str, str], limit: int
) -> list[ExportRecord]:
    """Return recipients in the order of app and uid, those that come after a pair of these."""
    key = (recipients.c.app_id, recipients.c.uid)
    query = select(*key).order_by(*key).limit(limit)
    if app_id is None:
        query = query.where(tuple_(*key) > after)
    else:
        query = query.where(recipients.c.app_id == app_id, recipients.c.uid > after[1])
    uids: dict[str, list[str]] = {}
    for row in connection.execute(query):
        uids.setdefault(row.app_id, []).append(row.uid)
    return [record for app, of_app in uids.items() for record in _read(connection, app, of_app)]


def _read(connection: Connection, app_id: str, uids: list[str]) -> Iterator[ExportRecord]:
    people = read_recipients(connection, app_id, uids)
    devices: dict[str, list[Registration]] = {}
    of_people = (_row.app_id == app_id, _row.uid.in_(uids))
    for row in connection.execute(_device.where(*of_people).order_by(_row.seen_at, _row.id)):
        device = Registration(
            platform=row.platform,
            address=row.address,
            provider_id=row.provider_id,
            timezone=row.timezone,
            locale=row.locale,
            session=row.session,
            seen_at=row.seen_at,
        )
        devices.setdefault(row.uid, []).append(device)
    for uid in uids:
        person = people[uid]
        plain = [contact for contact in person.contacts if contact.device is None]
        change = ProfilePatch(
            contacts={contact.kind: contact.address for contact in plain} or UNSET,
            registered={
                c.kind: RegisteredAddress(raw=c.raw, country=c.country) for c in plain if c.raw
            },
            country=person.country or UNSET,
            attributes=dict(person.attributes) or UNSET,
            timezone=person.timezone or UNSET,
            locale=person.locale or UNSET,
            muted=dict(person.muted) or UNSET,
            opt_outs=sorted(person.opt_outs) or UNSET,
        )
        yield ExportRecord(
            app_id=app_id, uid=uid, change=change, devices=tuple(devices.get(uid, ()))
        )
