"""What it takes to send leased deliveries, read in one go."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from router.core.delivery import Delivery
from router.core.facts import Contact
from router.core.notification import Notification
from router.store.profiles import CONTACT, read_contact
from router.store.rows import KEPT, read_delivery, read_notification
from router.store.tables import contacts, deliveries, is_sending, notifications

Handout = tuple[Delivery, Notification, Contact | None]

_leased: Select[Any] = select(deliveries).where(
    is_sending, deliveries.c.id.in_(bindparam("ids", expanding=True))
)
_bodies = KEPT.where(notifications.c.id.in_(bindparam("ids", expanding=True)))
_contacts: Select[Any] = select(*CONTACT).where(contacts.c.id.in_(bindparam("ids", expanding=True)))


def read_handouts(connection: Connection, ids: Sequence[str]) -> list[Handout]:
    """Return the deliveries that are being sent, with notification and contact, in order."""
    found = {row.id: read_delivery(row) for row in connection.execute(_leased, {"ids": list(ids)})}
    about = {
        row.id: read_notification(row)
        for row in connection.execute(
            _bodies, {"ids": list({delivery.notification for delivery in found.values()})}
        )
    }
    to = {
        row.id: read_contact(row)
        for row in connection.execute(
            _contacts, {"ids": [each.contact for each in found.values() if each.contact]}
        )
    }
    return [
        (delivery, about[delivery.notification], to.get(delivery.contact))
        for delivery in (found[id_] for id_ in ids if id_ in found)
        if delivery.notification in about
    ]
