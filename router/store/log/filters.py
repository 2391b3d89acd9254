"""What lists can be narrowed by."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field
from sqlalchemy import ColumnElement

from router.core.model.delivery import DeliveryState, NotificationState
from router.core.model.notification import Kind
from router.core.model.payload import Feed
from router.store.schema.ids import first_id_at
from router.store.schema.tables import deliveries, notifications
from router.store.state.rollup import delivery_id_range


class CommonFilter(Struct, frozen=True, kw_only=True):
    """For whom, and when accepted (epoch seconds); None lets all pass."""

    recipient: str | None = None
    app_id: str | None = field(default=None, name="appId")
    since: float | None = None
    until: float | None = None


class NotificationFilter(CommonFilter, frozen=True, kw_only=True):
    """Which notifications to list; None lets all pass. Times are epoch seconds of acceptance."""

    state: NotificationState | None = None
    feed: Feed | None = None
    kind: Kind | None = None


class DeliveryFilter(CommonFilter, frozen=True, kw_only=True):
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
    yield from column_conditions(
        (notifications.c.state, asked.state),
        (notifications.c.feed, asked.feed),
        (notifications.c.kind, asked.kind),
    )
    yield from notification_conditions(asked, notifications.c.id)


def of_deliveries(asked: DeliveryFilter) -> Conditions:
    """Yield what is asked of rows of deliveries and of the notifications beside them."""
    yield from column_conditions(
        (deliveries.c.state, asked.state),
        (deliveries.c.channel, asked.channel),
        (deliveries.c.rule, asked.rule),
    )
    if asked.notification is not None:
        low, high = delivery_id_range(asked.notification)
        yield deliveries.c.id > low
        yield deliveries.c.id < high
    yield from notification_conditions(asked, deliveries.c.id)


def column_conditions(*pairs: tuple[ColumnElement[Any], object]) -> Conditions:
    """Yield that each column has its value, where that is not None."""
    return (column == value for column, value in pairs if value is not None)


def notification_conditions(asked: CommonFilter, begins_with_id: ColumnElement[str]) -> Conditions:
    """Yield what is asked of rows of notifications; the column lets old ones be skipped."""
    yield from column_conditions(
        (notifications.c.uid, asked.recipient), (notifications.c.app_id, asked.app_id)
    )
    if asked.since is not None:
        yield begins_with_id >= first_id_at(asked.since)
        yield notifications.c.accepted_at >= asked.since
    if asked.until is not None:
        yield notifications.c.accepted_at < asked.until
