"""Accepting: entries are written, and repeats are told from new ones."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select

from router.core.errors import PayloadError
from router.core.model.notification import Notification
from router.queue.ports import AcceptedPayload, Receipt
from router.store.db.bulk import execute_many
from router.store.db.dialect import insert_or
from router.store.db.group_commit import WriteOperation, WriteOrder
from router.store.schema.rows import (
    SELECT_NOTIFICATION,
    read_notification,
    seen_key,
    write_notification,
)
from router.store.schema.tables import is_unplanned, notifications, payloads, seen

MAX_WAITING_WRITES = 10_000
"""How many entries may wait for the writer; more are refused."""

ACCEPT_TIMEOUT_S = 1.5
"""Seconds after which an entry that is not durable is given up."""

_expired = seen.c.expires_at <= bindparam("now")
_known = select(seen.c.key, seen.c.notification).where(
    seen.c.key.in_(bindparam("keys", expanding=True))
)
_add_notification = insert(notifications)
_add_payload = insert(payloads)
_unplanned = (
    SELECT_NOTIFICATION.where(is_unplanned, notifications.c.id > bindparam("after"))
    .order_by(notifications.c.id)
    .limit(bindparam("most"))
)


def _take_expired_key(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - the columns of a row
    return {"notification": row.notification, "expires_at": row.expires_at}


def accept(connection: Connection, entries: Sequence[AcceptedPayload]) -> list[Receipt]:
    """Write the entries whose key is not taken; return who holds each key now."""
    keys = [seen_key(entry.notification) for entry in entries]
    firsts: dict[str, AcceptedPayload] = {}
    for key, entry in zip(keys, entries, strict=True):
        firsts.setdefault(key, entry)
    taken = execute_many(
        connection,
        insert_or(connection, seen, _take_expired_key, _expired),
        [
            {
                "key": key,
                "notification": entry.notification.id,
                "expires_at": entry.notification.accepted_at + entry.window,
                "now": entry.notification.accepted_at,
            }
            for key, entry in firsts.items()
        ],
    )
    holders = {key: entry.notification.id for key, entry in firsts.items()}
    if taken != len(firsts):  # some were held already, or the driver does not count
        known_keys = connection.execute(_known, {"keys": list(firsts)})
        holders = {row.key: row.notification for row in known_keys}
    fresh = [entry for key, entry in firsts.items() if holders[key] == entry.notification.id]
    execute_many(
        connection, _add_notification, [write_notification(entry.notification) for entry in fresh]
    )
    execute_many(
        connection,
        _add_payload,
        [{"notification": entry.notification.id, "body": entry.body} for entry in fresh],
    )
    return [
        Receipt(id=holders[key], duplicate=holders[key] != entry.notification.id)
        for key, entry in zip(keys, entries, strict=True)
    ]


ACCEPT: WriteOperation[AcceptedPayload, Receipt] = WriteOperation(
    name="accept",
    rank=WriteOrder.ACCEPT,
    apply=accept,
    queue=MAX_WAITING_WRITES,
    patience=ACCEPT_TIMEOUT_S,
)


def read_unplanned(
    connection: Connection, after: str, limit: int
) -> tuple[list[Notification], dict[str, str]]:
    """Return notifications without a plan, and of those that cannot be read any more, why."""
    unplanned: list[Notification] = []
    unreadable: dict[str, str] = {}
    for row in connection.execute(_unplanned, {"after": after, "most": limit}):
        try:
            unplanned.append(read_notification(row))
        except PayloadError as error:
            unreadable[row.id] = str(error)
    return unplanned, unreadable
