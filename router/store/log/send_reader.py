"""What it takes to send leased deliveries, read in one go."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Select, bindparam, select

from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.store.recipients.profiles import CONTACT, read_contact
from router.store.schema.rows import SELECT_NOTIFICATION, AnyRow, read_delivery, read_notification
from router.store.schema.tables import contacts, deliveries, is_sending, notifications

LeasedDelivery = tuple[Delivery, Notification, Contact | None]
LoadedDeliveries = Mapping[str, tuple[Delivery, Notification]]

_leased: Select[Any] = select(deliveries).where(
    is_sending, deliveries.c.id.in_(bindparam("ids", expanding=True))
)
_bodies = SELECT_NOTIFICATION.where(notifications.c.id.in_(bindparam("ids", expanding=True)))
_handles: Select[Any] = select(deliveries.c.id, deliveries.c.handle).where(
    deliveries.c.id.in_(bindparam("ids", expanding=True))
)
_contacts: Select[Any] = select(*CONTACT, contacts.c.uid).where(
    contacts.c.id.in_(bindparam("ids", expanding=True))
)


def read_send_jobs(
    connection: Connection, ids: Sequence[str], known: LoadedDeliveries
) -> list[LeasedDelivery]:
    """Return the deliveries that are being sent, with notification and contact, in order.

    One that changes another has the handle that the provider left of that.
    """
    unknown = [id_ for id_ in ids if id_ not in known]
    leased = {row.id: read_delivery(row) for row in _rows(connection, _leased, unknown)}
    about = {
        row.id: read_notification(row)
        for row in _rows(connection, _bodies, {each.notification for each in leased.values()})
    }
    for id_ in ids:
        if id_ in known:
            leased[id_], notification = known[id_]
            about[notification.id] = notification
    originals = {each.original for each in leased.values() if each.original}
    named = {row.id: row.handle for row in _rows(connection, _handles, originals)}
    for id_, each in leased.items():
        if each.original:
            leased[id_] = replace(each, handle=named.get(each.original, ""))
    reached = {each.contact for each in leased.values() if each.contact}
    rows = _rows(connection, _contacts, reached)
    to = {row.id: replace(read_contact(row), uid=row.uid) for row in rows}
    return [
        (delivery, about[delivery.notification], to.get(delivery.contact))
        for delivery in (leased[id_] for id_ in ids if id_ in leased)
        if delivery.notification in about
    ]


def _rows(connection: Connection, query: Select[Any], ids: Collection[str]) -> Iterable[AnyRow]:
    return connection.execute(query, {"ids": list(ids)}) if ids else ()
