"""What lists can be narrowed by."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field
from sqlalchemy import ColumnElement

from router.core.model.delivery import DeliveryState, NotificationState
from router.core.model.notification import Kind
from router.core.model.payload import Feed
from router.store.schema.ids import floor
from router.store.schema.tables import deliveries, notifications
from router.store.state.rollup import range_of


class Whose(Struct, frozen=True, kw_only=True):
    """For whom, and when accepted (epoch seconds); None lets all pass."""

    recipient: str | None = None
    app_id: str | None = field(default=None, name="appId")
    since: float | None = None
    until: float | None = None


class NotificationFilter(Whose, frozen=True, kw_only=True):
    """Which notifications to list; None lets all pass. Times are epoch seconds of acceptance."""

    state: NotificationState | None = None
    feed: Feed | None = None
    kind: Kind | None = None


class DeliveryFilter(Whose, frozen=True, kw_only=True):
    """Which deliveries to list; None lets all pass. Times are epoch seconds of acceptance."""

    state: DeliveryState | None = None
    channel: str | None = None
    rule: str | None = None
    notification: str | None = None


ALL_NOTIFICATIONS = NotificationFilter()
ALL_DELIVERIES = DeliveryFilter()

Conditions = Iterator[ColumnElement[bool]]


def of_notifications(asked: NotificationFilter) -> Conditions:
    """Yield what is asked of rows of notifications."""
    yield from equal(
        (notifications.c.state, asked.state),
        (notifications.c.feed, asked.feed),
        (notifications.c.kind, asked.kind),
    )
    yield from for_whom(asked, notifications.c.id)


def of_deliveries(asked: DeliveryFilter) -> Conditions:
    """Yield what is asked of rows of deliveries and of the notifications beside them."""
    yield from equal(
        (deliveries.c.state, asked.state),
        (deliveries.c.channel, asked.channel),
        (deliveries.c.rule, asked.rule),
    )
    if asked.notification is not None:
        low, high = range_of(asked.notification)
        yield deliveries.c.id > low
        yield deliveries.c.id < high
    yield from for_whom(asked, deliveries.c.id)


def equal(*pairs: tuple[ColumnElement[Any], object]) -> Conditions:
    """Yield that each column has its value, where that is not None."""
    return (column == value for column, value in pairs if value is not None)


def for_whom(asked: Whose, begins_with_id: ColumnElement[str]) -> Conditions:
    """Yield what is asked of rows of notifications; the column lets old ones be skipped."""
    yield from equal((notifications.c.uid, asked.recipient), (notifications.c.app_id, asked.app_id))
    if asked.since is not None:
        yield begins_with_id >= floor(asked.since)
        yield notifications.c.accepted_at >= asked.since
    if asked.until is not None:
        yield notifications.c.accepted_at < asked.until
