"""What lists can be narrowed by."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field
from sqlalchemy import ColumnElement

from router.core.model.delivery import DeliveryState, NotificationState
from router.core.model.feed import Feed
from router.core.model.notification import Kind
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


class CancelFilter(CommonFilter, frozen=True, kw_only=True):
    """Which open deliveries to cancel; None lets all pass. Times are epoch seconds of acceptance.

    A field that has the name of a column of deliveries is compared with it.
    """

    channel: str | None = None
    rule: str | None = None
    notification: str | None = None


class DeliveryFilter(CancelFilter, frozen=True, kw_only=True):
    """Which deliveries to list; None lets all pass. Times are epoch seconds of acceptance."""

    state: DeliveryState | None = None


ALL_NOTIFICATIONS = NotificationFilter()
ALL_DELIVERIES = DeliveryFilter()

Conditions = Iterator[ColumnElement[bool]]


def of_notifications(wanted: NotificationFilter) -> Conditions:
    """Yield what is asked of rows of notifications."""
    yield from column_conditions(
        (notifications.c.state, wanted.state),
        (notifications.c.feed, wanted.feed),
        (notifications.c.kind, wanted.kind),
    )
    yield from notification_conditions(wanted, notifications.c.id)


def of_deliveries(
    wanted: CancelFilter, id_column: ColumnElement[str] = deliveries.c.id
) -> Conditions:
    """Yield what is asked of rows of deliveries and of the notifications beside them.

    `id_column` is the expression of the id that the query is to walk by.
    """
    columns = (name for name in wanted.__struct_fields__ if name in deliveries.c)
    yield from column_conditions(
        *((deliveries.c[name], getattr(wanted, name)) for name in columns if name != "notification")
    )
    if wanted.notification is not None:
        low, high = delivery_id_range(wanted.notification)
        yield id_column > low
        yield id_column < high
    yield from notification_conditions(wanted, id_column)


def column_conditions(*pairs: tuple[ColumnElement[Any], object]) -> Conditions:
    """Yield that each column has its value, where that is not None."""
    return (column == value for column, value in pairs if value is not None)


def notification_conditions(wanted: CommonFilter, begins_with_id: ColumnElement[str]) -> Conditions:
    """Yield what is asked of rows of notifications; the column lets old ones be skipped."""
    yield from column_conditions(
        (notifications.c.uid, wanted.recipient), (notifications.c.app_id, wanted.app_id)
    )
    if wanted.since is not None:
        yield begins_with_id >= first_id_at(wanted.since)
        yield notifications.c.accepted_at >= wanted.since
    if wanted.until is not None:
        yield notifications.c.accepted_at < wanted.until
