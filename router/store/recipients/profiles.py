"""Recipients as rows: what is known of people, read in bulk and changed one at a time."""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from router.core.model.facts import Contact, Device, Recipient, Scalar
from router.store.db.dialect import insert_or
from router.store.db.distinct import select_distinct
from router.store.errors import AppAmbiguous
from router.store.recipients.validation import ProfilePatch
from router.store.schema.rows import AnyRow, Values
from router.store.schema.tables import contacts, notifications, recipients

T = TypeVar("T")

_attributes = msgspec.json.Decoder(dict[str, Scalar])
_muted = msgspec.json.Decoder(dict[str, float])
_opt_outs = msgspec.json.Decoder(frozenset[str])

_person = (
    *(recipients.c.uid, recipients.c.attributes, recipients.c.muted, recipients.c.opt_outs),
    *(recipients.c.timezone, recipients.c.locale, recipients.c.country),
)
CONTACT = (
    *(contacts.c.id, contacts.c.kind, contacts.c.address, contacts.c.platform),
    *(contacts.c.provider_id, contacts.c.locale.label("device_locale")),
    *(contacts.c.timezone.label("device_timezone"), contacts.c.session),
    *(contacts.c.raw, contacts.c.country.label("assumed_country")),
)
"""The columns that make a contact."""
_known: Select[Any] = (
    select(*_person, *CONTACT)
    .select_from(
        recipients.outerjoin(
            contacts,
            (contacts.c.app_id == recipients.c.app_id) & (contacts.c.uid == recipients.c.uid),
        )
    )
    .where(
        recipients.c.app_id == bindparam("app_id"),
        recipients.c.uid.in_(bindparam("uids", expanding=True)),
    )
    .order_by(recipients.c.uid, contacts.c.seen_at, contacts.c.kind, contacts.c.id)
)

_apps = (select_distinct(recipients.c.app_id), select_distinct(notifications.c.app_id))


def read_recipients(
    connection: Connection, app_id: str, uids: Collection[str]
) -> dict[str, Recipient]:
    """Return those recipients that are known, with their contacts, oldest first."""
    people: dict[str, AnyRow] = {}
    addresses: dict[str, list[Contact]] = {}
    for row in connection.execute(_known, {"app_id": app_id, "uids": list(uids)}):
        people[row.uid] = row
        if row.id is not None:
            addresses.setdefault(row.uid, []).append(read_contact(row))
    return {uid: _read_person(row, app_id, addresses.get(uid, ())) for uid, row in people.items()}


def read_contact(row: AnyRow) -> Contact:
    """Return the contact in a row."""
    device = Device(
        platform=row.platform,
        provider_id=row.provider_id,
        locale=row.device_locale,
        timezone=row.device_timezone,
    )
    return Contact(
        id=row.id,
        kind=row.kind,
        address=row.address,
        device=device if row.platform else None,
        session=row.session,
        raw=row.raw,
        country=row.assumed_country,
    )


def _read_person(row: AnyRow, app_id: str, addresses: Iterable[Contact]) -> Recipient:
    return Recipient(
        app_id=app_id,
        uid=row.uid,
        contacts=tuple(addresses),
        attributes=_attributes.decode(row.attributes),
        timezone=row.timezone,
        locale=row.locale,
        muted=_muted.decode(row.muted),
        opt_outs=_opt_outs.decode(row.opt_outs),
        country=row.country,
    )


def known_apps(connection: Connection) -> list[str]:
    """Return every app that a payload or a recipient names."""
    named = {app for query in _apps for app in connection.execute(query).scalars()}
    return sorted(named)


def resolve_app(connection: Connection, app_id: str | None) -> str:
    """Return the app that is meant; raises `AppAmbiguous` when that is not clear."""
    if app_id is not None:
        return app_id
    apps = known_apps(connection)
    if len(apps) != 1:
        raise AppAmbiguous(apps)
    return apps[0]


def save(connection: Connection, recipient: Recipient) -> None:
    """Write what is known of a recipient, contacts apart."""
    connection.execute(insert_or(connection, recipients, _replace), profile_row(recipient))


def change_profile(recipient: Recipient, change: ProfilePatch) -> Recipient:
    """Return the recipient with everything changed but its contacts."""
    return msgspec.structs.replace(
        recipient,
        attributes=_merged(recipient.attributes, change.attributes),
        muted=_merged(recipient.muted, change.muted),
        timezone=_changed(recipient.timezone, change.timezone),
        locale=_changed(recipient.locale, change.locale),
        country=_changed(recipient.country, change.country),
        opt_outs=recipient.opt_outs if change.opt_outs is UNSET else frozenset(change.opt_outs),
    )


def _merged(old: dict[str, T], new: dict[str, T | None] | UnsetType) -> dict[str, T]:
    if new is UNSET:
        return old
    return {key: value for key, value in {**old, **new}.items() if value is not None}


def _changed(old: str, new: str | UnsetType | None) -> str:
    return old if new is UNSET else new or ""


def _replace(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - the columns of a row
    names = ("attributes", "timezone", "locale", "muted", "opt_outs", "country")
    return {name: row[name] for name in names}


def profile_row(recipient: Recipient) -> Values:
    """Return the row of a recipient, contacts apart."""
    return {
        "app_id": recipient.app_id,
        "uid": recipient.uid,
        "attributes": msgspec.json.encode(recipient.attributes),
        "timezone": recipient.timezone,
        "locale": recipient.locale,
        "muted": msgspec.json.encode(recipient.muted),
        "opt_outs": msgspec.json.encode(sorted(recipient.opt_outs)),
        "country": recipient.country,
    }
