"""Forgetting: rows deleted in small steps, so that nobody who writes has to wait for long."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, select

from router.store.bulk import execute_many
from router.store.contacts import remove
from router.store.database import Database
from router.store.states import range_of
from router.store.tables import (
    attempts,
    contacts,
    deliveries,
    notifications,
    payloads,
    recipients,
)

STEP = 200
"""How many notifications one transaction deletes."""

_low: BindParameter[str] = bindparam("low")
_high: BindParameter[str] = bindparam("high")
_delete_attempts = delete(attempts).where(attempts.c.delivery > _low, attempts.c.delivery < _high)
_delete_deliveries = delete(deliveries).where(deliveries.c.id > _low, deliveries.c.id < _high)


async def erase(database: Database, app_id: str, uid: str) -> bool:
    """Delete a recipient and everything that was for it; return whether there was anything."""
    found = await database.write(lambda connection: _delete_recipient(connection, app_id, uid))
    of_it = select(notifications.c.id).where(
        notifications.c.app_id == app_id, notifications.c.uid == uid
    )
    ids = await database.read(lambda connection: connection.execute(of_it).scalars().all())
    for start in range(0, len(ids), STEP):
        step = ids[start : start + STEP]
        await database.write(partial(delete_notifications, ids=step))
    return found or bool(ids)


def delete_notifications(connection: Connection, ids: Sequence[str]) -> None:
    """Delete notifications with their bodies, deliveries and attempts."""
    if not ids:
        return
    ranges = [dict(zip(("low", "high"), range_of(id_), strict=True)) for id_ in ids]
    execute_many(connection, _delete_attempts, ranges)
    execute_many(connection, _delete_deliveries, ranges)
    connection.execute(delete(payloads).where(payloads.c.notification.in_(ids)))
    connection.execute(delete(notifications).where(notifications.c.id.in_(ids)))


def _delete_recipient(connection: Connection, app_id: str, uid: str) -> bool:
    gone = remove(connection, contacts.c.app_id == app_id, contacts.c.uid == uid)
    this = and_(recipients.c.app_id == app_id, recipients.c.uid == uid)
    return bool(connection.execute(delete(recipients).where(this)).rowcount or gone)
