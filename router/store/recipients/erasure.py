"""Forgetting: rows deleted in small steps, so that nobody who writes has to wait for long."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, func, select

from router.core.errors import PayloadError
from router.store.db.bulk import execute_many
from router.store.db.database import Database
from router.store.recipients.contacts import remove
from router.store.schema.rows import SELECT_NOTIFICATION, read_notification, seen_key
from router.store.schema.state_tables import calls, reads, watches
from router.store.schema.tables import (
    attempts,
    contacts,
    deliveries,
    is_change,
    notifications,
    once,
    payloads,
    recipients,
    seen,
)
from router.store.state.rollup import delivery_id_range

T = TypeVar("T")

DELETED_PER_TRANSACTION = 200
"""How many notifications one transaction deletes."""

INDEX_ENTRIES_PER_QUERY = 5000
"""How many entries of an index one query looks at."""

MAX_REST_S = 1.0
"""Seconds that others get after a step at most."""

_low: BindParameter[str] = bindparam("low")
_high: BindParameter[str] = bindparam("high")
_delete_attempts = delete(attempts).where(attempts.c.delivery > _low, attempts.c.delivery < _high)
_delete_deliveries = delete(deliveries).where(deliveries.c.id > _low, deliveries.c.id < _high)
_delete_changes = delete(deliveries).where(
    is_change, deliveries.c.original > _low, deliveries.c.original < _high
)
"""Of what was sent to somebody, the end of a call is told by a notification to anybody in it."""
_delete_watches = delete(watches).where(watches.c.delivery > _low, watches.c.delivery < _high)
_delete_once = delete(once).where(once.c.delivery > _low, once.c.delivery < _high)


class _ErasureBatch(Struct, frozen=True, kw_only=True):
    """Notifications to a recipient, their idempotency keys, and the last id that was looked at."""

    ids: Sequence[str]
    keys: Sequence[str]
    last: str | None


async def erase(database: Database, app_id: str, uid: str, now: float) -> bool:
    """Delete a recipient and everything that was for it; return whether there was anything.

    On SQLite nothing of it can be read in the file any more: freed pages are overwritten, and
    the log of writes is emptied at the end.
    """
    gone = await run_paced(database, partial(_delete_recipient, app_id=app_id, uid=uid, now=now))
    after: str | None = ""
    while after is not None:
        batch = await database.read(partial(_find_batch, app_id=app_id, uid=uid, after=after))
        for start in range(0, len(batch.ids), DELETED_PER_TRANSACTION):
            ids, keys = (
                batch.ids[start : start + DELETED_PER_TRANSACTION],
                batch.keys[start : start + DELETED_PER_TRANSACTION],
            )
            await run_paced(database, partial(_delete_whole, ids=ids, keys=keys))
        gone, after = gone or bool(batch.ids), batch.last
    if gone:
        await database.empty_log()
    return gone


async def run_paced(database: Database, work: Callable[[Connection], T]) -> T:
    """Return what the work gives, once it is committed and others had as much time as it took."""
    began = time.perf_counter()
    result = await database.write(work)
    await asyncio.sleep(min(MAX_REST_S, time.perf_counter() - began))
    return result


def delete_notifications(connection: Connection, ids: Sequence[str]) -> None:
    """Delete notifications with their bodies, deliveries and attempts."""
    if not ids:
        return
    ranges = _ranges(ids)
    execute_many(connection, _delete_attempts, ranges)
    execute_many(connection, _delete_watches, ranges)
    execute_many(connection, _delete_deliveries, ranges)
    connection.execute(delete(payloads).where(payloads.c.notification.in_(ids)))
    connection.execute(delete(notifications).where(notifications.c.id.in_(ids)))


def _delete_whole(connection: Connection, ids: Sequence[str], keys: Sequence[str]) -> None:
    """Delete notifications with all that names them."""
    connection.execute(delete(seen).where(seen.c.key.in_(keys), seen.c.notification.in_(ids)))
    execute_many(connection, _delete_once, _ranges(ids))
    execute_many(connection, _delete_changes, _ranges(ids))
    delete_notifications(connection, ids)


def _ranges(ids: Sequence[str]) -> list[dict[str, str]]:
    return [dict(zip(("low", "high"), delivery_id_range(id_), strict=True)) for id_ in ids]


def _find_batch(connection: Connection, app_id: str, uid: str, after: str) -> _ErasureBatch:
    """Find a recipient's among the next notifications of an app."""
    row = notifications.c
    page = (
        select(row.id, row.uid)
        .where(row.app_id == app_id, row.id > after)
        .order_by(row.id)
        .limit(INDEX_ENTRIES_PER_QUERY)
        .subquery("page")
    )
    last = connection.execute(select(func.max(page.c.id))).scalar()
    ids = connection.execute(select(page.c.id).where(page.c.uid == uid)).scalars().all()
    return _ErasureBatch(ids=ids, keys=_read_keys(connection, ids), last=last)


def _read_keys(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Return the idempotency key of each notification; empty where the body tells none."""
    query = SELECT_NOTIFICATION.where(notifications.c.id.in_(bindparam("ids", expanding=True)))
    keys: dict[str, str] = {}
    for start in range(0, len(ids), DELETED_PER_TRANSACTION):
        for row in connection.execute(
            query, {"ids": list(ids[start : start + DELETED_PER_TRANSACTION])}
        ):
            try:
                keys[row.id] = seen_key(read_notification(row))
            except PayloadError:
                continue
    return [keys.get(id_, "") for id_ in ids]


def _delete_recipient(connection: Connection, app_id: str, uid: str, now: float) -> bool:
    gone = remove(connection, contacts.c.app_id == app_id, contacts.c.uid == uid, now=now)
    for marks in (reads, calls):
        connection.execute(delete(marks).where(marks.c.app_id == app_id, marks.c.uid == uid))
    this = and_(recipients.c.app_id == app_id, recipients.c.uid == uid)
    return bool(connection.execute(delete(recipients).where(this)).rowcount or gone)
