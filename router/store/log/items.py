"""What lists and timelines show."""

import msgspec
from msgspec import Struct, field
from sqlalchemy import BindParameter, Connection, bindparam, select

from router.core.model.delivery import Attempt, DeliveryState, NotificationState, mask
from router.core.model.feed import Feed
from router.core.model.notification import Kind
from router.core.model.types import Operation
from router.store.schema.rows import AnyRow, read_attempt
from router.store.schema.tables import attempts, deliveries, notifications
from router.store.state.rollup import delivery_id_range

_words = msgspec.json.Decoder(tuple[str, ...])


class NotificationItem(Struct, frozen=True, kw_only=True):
    """A notification in a list; `recipient` is the uid, times are epoch seconds."""

    id: str
    feed: Feed
    kind: Kind
    recipient: str
    app_id: str = field(name="appId")
    conversation: str
    state: NotificationState
    reason: str
    sent_at: float | None
    accepted_at: float


class DeliveryItem(Struct, frozen=True, kw_only=True):
    """A delivery in a list; the address is masked, times are epoch seconds.

    One whose `operation` is `update` or `retract` changes or takes back what `original`, another
    delivery, has shown; that is empty where nothing is known of it.
    """

    id: str
    notification: str
    rule: str
    channel: str
    address: str
    state: DeliveryState
    reason: str
    attempts: int
    due_at: float
    expires_at: float
    operation: Operation
    original: str
    handle: str


class DeliveryTrail(Struct, frozen=True, kw_only=True):
    """A delivery with every try of it, oldest first."""

    delivery: DeliveryItem
    attempts: tuple[Attempt, ...]


class DecisionItem(Struct, frozen=True, kw_only=True):
    """When and by which rules it was decided what to send; `version` is the ruleset's."""

    at: float
    version: str
    matched: tuple[str, ...]


class Timeline(Struct, frozen=True, kw_only=True):
    """Everything that happened to a notification; `decided` is None until it is."""

    notification: NotificationItem
    decided: DecisionItem | None
    deliveries: tuple[DeliveryTrail, ...]


_low: BindParameter[str] = bindparam("low")
_high: BindParameter[str] = bindparam("high")
_deliveries = select(deliveries).where(deliveries.c.id >= _low, deliveries.c.id <= _high)
_attempts = (
    select(attempts)
    .where(attempts.c.delivery >= _low, attempts.c.delivery <= _high)
    .order_by(attempts.c.delivery, attempts.c.started_at)
)


def read_notification_item(row: AnyRow) -> NotificationItem:
    """Return the item of a row of notifications."""
    return NotificationItem(
        id=row.id,
        feed=row.feed,
        kind=row.kind,
        recipient=row.uid,
        app_id=row.app_id,
        conversation=row.conversation,
        state=row.state,
        reason=row.reason,
        sent_at=row.sent_at,
        accepted_at=row.accepted_at,
    )


def read_delivery_item(row: AnyRow) -> DeliveryItem:
    """Return the item of a row of deliveries."""
    fields = {name: getattr(row, name) for name in DeliveryItem.__struct_fields__}
    return DeliveryItem(**fields | {"address": mask(row.address)})


def read_timeline(connection: Connection, id_: str) -> Timeline | None:
    """Return the timeline of a notification; None when there is none by that id."""
    row = connection.execute(select(notifications).where(notifications.c.id == id_)).first()
    if row is None:
        return None
    decided = None
    if row.decided_at is not None:
        matched = _words.decode(row.matched)
        decided = DecisionItem(at=row.decided_at, version=row.version, matched=matched)
    low, high = delivery_id_range(id_)
    return Timeline(
        notification=read_notification_item(row),
        decided=decided,
        deliveries=tuple(sorted(read_trails(connection, low, high), key=_ordinal)),
    )


def read_trails(connection: Connection, low: str, high: str) -> list[DeliveryTrail]:
    """Return the deliveries whose ids lie between the bounds, with their attempts."""
    bounds = {"low": low, "high": high}
    tries: dict[str, list[Attempt]] = {}
    for row in connection.execute(_attempts, bounds):
        tries.setdefault(row.delivery, []).append(read_attempt(row))
    return [
        DeliveryTrail(delivery=read_delivery_item(row), attempts=tuple(tries.get(row.id, ())))
        for row in connection.execute(_deliveries, bounds)
    ]


def _ordinal(trail: DeliveryTrail) -> int:
    return int(trail.delivery.id.rpartition("-")[2])
