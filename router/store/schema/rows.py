"""Values as rows, and rows as values."""

from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Row, Select, select

from router.core.model.delivery import Attempt, Delivery
from router.core.model.message import Content
from router.core.model.notification import Notification, apply_classification, derive
from router.core.model.payload import decode
from router.core.model.topic import topic_number
from router.core.model.unless import WaitCondition
from router.store.schema.tables import notifications, payloads

Values = dict[str, object]
"""The columns of a row to write."""

AnyRow = Row[*tuple[Any, ...]]
"""A row of some query, its columns by name."""

MAX_REASON_LENGTH = 1000
"""How many characters of a reason or a provider's id are kept."""

SELECT_NOTIFICATION: Select[Any] = select(
    notifications.c.id,
    notifications.c.accepted_at,
    notifications.c.skew,
    notifications.c.classified,
    payloads.c.body,
).join(payloads, payloads.c.notification == notifications.c.id)
"""What notifications are made from again."""

_said = msgspec.json.Decoder(dict[str, str])
_content = msgspec.json.Decoder(Content)
_watch = msgspec.json.Decoder(WaitCondition)
_PLAIN = tuple(name for name in Delivery.__struct_fields__ if name not in {"content", "watch"})
"""The fields of a delivery that a column of the same name holds as they are."""
_FREE_TEXT = ("reason", "about", "collapse", "handle")
"""Those that hold texts of payloads, rules or providers."""


def storable_text(text: str, most: int = MAX_REASON_LENGTH) -> str:
    """Return a text that any database can hold: no NUL, no half of a pair, no endless tail."""
    if len(text) <= most and text.isascii() and "\0" not in text:
        return text
    whole = text[:most].encode("utf-8", "replace").decode()
    return whole.replace("\0", "\ufffd")


def hash_lane(channel: str, lane: str) -> int:
    """Return a signed 64-bit hash of a lane (two that share one only wait for each other)."""
    digest = blake2b(f"{channel}\0{lane}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def seen_key(notification: Notification) -> str:
    """Return the idempotency key with the time of the event before it.

    A repeat carries the same time, and keys that grow with it touch few pages of the index.
    """
    return f"{int((notification.sent_at or 0) * 1000):012x}{notification.key}"


def write_notification(notification: Notification) -> Values:
    """Return the row of a notification that was just accepted."""
    return {
        "id": notification.id,
        "app_id": notification.app_id,
        "uid": notification.uid,
        "feed": notification.feed,
        "kind": notification.kind,
        "conversation": storable_text(notification.conversation),
        "event": notification.event,
        "sent_at": notification.sent_at,
        "accepted_at": notification.accepted_at,
        "skew": notification.skew,
        "state": "accepted",
    }


def read_notification(row: AnyRow) -> Notification:
    """Return the notification in a row of `KEPT`: the same as when it was accepted, or planned."""
    notification = derive(decode(row.body), id=row.id, accepted_at=row.accepted_at, skew=row.skew)
    return (
        apply_classification(notification, _said.decode(row.classified))
        if row.classified
        else notification
    )


def write_delivery(delivery: Delivery) -> Values:
    """Return the row of a delivery."""
    row: Values = {name: getattr(delivery, name) for name in _PLAIN}
    for name in _FREE_TEXT:
        row[name] = storable_text(getattr(delivery, name))
    row["content"] = msgspec.json.encode(delivery.content)
    row["unless"] = b"" if delivery.watch is None else encode_watch(delivery.watch)
    row["topic"] = topic_number(delivery.about)
    row["lane_hash"] = hash_lane(delivery.channel, delivery.lane or delivery.address)
    row["parked"], row["leased_to"] = 0, ""
    return row


def read_delivery(row: AnyRow) -> Delivery:
    """Return the delivery in a row of its table."""
    values = {name: getattr(row, name) for name in _PLAIN}
    watch = decode_watch(row.unless) if row.unless else None
    return Delivery(content=_content.decode(row.content), watch=watch, **values)


def encode_watch(watch: WaitCondition) -> bytes:
    """Return what a delivery watches for, as its column `unless` holds it."""
    return msgspec.json.encode(watch)


def decode_watch(unless: bytes) -> WaitCondition:
    """Return what a delivery watches for, from its column `unless`."""
    return _watch.decode(unless)


def write_attempt(attempt: Attempt) -> Values:
    """Return the row of an attempt."""
    return {
        "delivery": attempt.delivery,
        "number": attempt.number,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "handle": storable_text(attempt.handle),
        "reason": storable_text(attempt.reason),
    }


def read_attempt(row: AnyRow) -> Attempt:
    """Return the attempt in a row of its table."""
    return Attempt(
        delivery=row.delivery,
        number=row.number,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        status=row.status,
        handle=row.handle,
        reason=row.reason,
    )
