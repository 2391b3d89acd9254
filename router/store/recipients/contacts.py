"""Contacts as rows: set and removed, devices registered, moved and logged out."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, insert, select, update

from router.core.model.facts import Recipient
from router.store.db.bulk import execute_many
from router.store.recipients.validation import DEVICE_KIND, RegisteredAddress, Registration
from router.store.schema.rows import Values, hash_lane
from router.store.schema.tables import contacts, deliveries, is_device, is_waiting
from router.store.state.cancellation import cancel_waiting

MAX_DEVICES = 100
"""How many devices a recipient can have; one more replaces the one that was longest not seen.

Source: CometChat's own limit, "Maximum push tokens per user", REST API, Properties and Constraints.
"""

_row = contacts.c
_move = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("which"))
    .values(address=bindparam("new_address"), lane_hash=bindparam("new_lane"), parked=0)
)


def set_contact(connection: Connection, owner: Recipient, contact: Values, now: float) -> None:
    """Give a recipient an address (`contact_row`); what waits for the old one follows."""
    app_id, uid = owner.app_id, owner.uid
    contact_id = connection.execute(
        select(_row.id).where(_is_owned_by(app_id, uid), _row.kind == contact["kind"])
    ).scalar()
    _write_contact(connection, contact_id, {"app_id": app_id, "uid": uid, **contact}, now)


def contact_row(kind: str, address: str, registered: RegisteredAddress) -> Values:
    """Return what a contact that is no device says of its row."""
    country = registered.country
    return {"kind": kind, "address": address, "raw": registered.raw, "country": country}


def remove_contact(connection: Connection, owner: Recipient, kind: str, now: float) -> None:
    """Take an address from a recipient, and cancel what waits for it."""
    remove(connection, _is_owned_by(owner.app_id, owner.uid), _row.kind == kind, now=now)


def register_device(
    connection: Connection, app_id: str, uid: str, registration: Registration, now: float
) -> str:
    """Write a device that logged in; return the id of its contact."""
    device: Values = {"app_id": app_id, "uid": uid, **device_row(registration)}
    token = and_(is_device, _row.app_id == app_id, _row.address == registration.address)
    remove(connection, token, _row.uid != uid, now=now)
    contact_id = connection.execute(select(_row.id).where(token)).scalar()
    older = _replaced(connection, device)
    if contact_id is None and older:
        contact_id = older[0]
    remove(connection, _row.id.in_([id_ for id_ in older if id_ != contact_id]), now=now)
    id_ = _write_contact(connection, contact_id, device, last_seen(registration, now))
    _remove_oldest(connection, app_id, uid, now)
    return id_


def device_row(registration: Registration) -> Values:
    """Return what a registration says of its contact's row."""
    return {
        "kind": DEVICE_KIND,
        "address": registration.address,
        "platform": registration.platform,
        "provider_id": registration.provider_id,
        "session": registration.session or hash_session(registration.auth_token),
        "locale": registration.locale,
        "timezone": registration.timezone,
    }


def last_seen(registration: Registration, now: float) -> float:
    """Return when a device was last heard of; no device was in the future."""
    return now if registration.seen_at is None else min(registration.seen_at, now)


def log_out(connection: Connection, app_id: str, uid: str, auth_token: str, now: float) -> int:
    """Remove the devices of a session; return how many those were."""
    session = _row.session == hash_session(auth_token)
    return remove(connection, _is_owned_by(app_id, uid), is_device, session, now=now)


def remove(connection: Connection, *where: ColumnElement[bool], now: float) -> int:
    """Remove contacts and cancel what waits for them; return how many those were."""
    gone = connection.execute(select(_row.id).where(*where)).scalars().all()
    if gone:
        connection.execute(delete(contacts).where(_row.id.in_(gone)))
        cancel_waiting(connection, gone, now)
    return len(gone)


def hash_session(auth_token: str) -> str:
    """Return what is kept of an auth token: enough to know it again, of none nothing."""
    return sha256(auth_token.encode()).hexdigest() if auth_token else ""


def _is_owned_by(app_id: str, uid: str) -> ColumnElement[bool]:
    return and_(_row.app_id == app_id, _row.uid == uid)


def _replaced(connection: Connection, device: Values) -> list[str]:
    """Return the devices whose place it takes: other tokens of the same session and platform."""
    if not device["session"]:
        return []
    same = ("app_id", "uid", "session", "platform", "provider_id")
    query = select(_row.id).where(
        is_device, *(_row[name] == device[name] for name in same), _row.address != device["address"]
    )
    return list(connection.execute(query.order_by(_row.seen_at.desc())).scalars())


def _write_contact(
    connection: Connection, contact_id: str | None, contact: Values, now: float
) -> str:
    """Write a contact, in the place of a known one if there is one; return its id."""
    if contact_id is None:
        id_ = uuid4().hex
        connection.execute(insert(contacts), {"id": id_, "seen_at": now, **contact})
        return id_
    connection.execute(update(contacts).where(_row.id == contact_id).values(seen_at=now, **contact))
    _update_waiting_addresses(connection, contact_id, str(contact["address"]))
    return contact_id


def _update_waiting_addresses(connection: Connection, contact: str, address: str) -> None:
    """Let what waits for a contact follow it to its new address."""
    to_it = (is_waiting, deliveries.c.contact == contact, deliveries.c.address != address)
    query = select(deliveries.c.id, deliveries.c.channel, deliveries.c.lane).where(*to_it)
    moved: list[Values] = [
        {
            "which": row.id,
            "new_address": address,
            "new_lane": hash_lane(row.channel, row.lane or address),
        }
        for row in connection.execute(query)
    ]
    execute_many(connection, _move, moved)


def _remove_oldest(connection: Connection, app_id: str, uid: str, now: float) -> None:
    kept = (
        select(_row.id)
        .where(_is_owned_by(app_id, uid), is_device)
        .order_by(_row.seen_at.desc(), _row.id.desc())
    )
    surplus: Iterable[Any] = connection.execute(
        kept.offset(MAX_DEVICES).limit(MAX_DEVICES)
    ).scalars()
    remove(connection, _row.id.in_(list(surplus)), now=now)
