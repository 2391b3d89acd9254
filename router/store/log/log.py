"""The delivery log: what was accepted, decided, sent, tried, and how it ended."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, func, select

from router.core.model.delivery import Attempt, Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.store.db.database import Database
from router.store.log.filters import (
    ALL_DELIVERIES,
    ALL_NOTIFICATIONS,
    DeliveryFilter,
    NotificationFilter,
    of_deliveries,
    of_notifications,
)
from router.store.log.items import (
    DecisionItem,
    DeliveryItem,
    DeliveryTrail,
    NotificationItem,
    Timeline,
    read_delivery_item,
    read_notification_item,
    read_timeline,
    read_trails,
)
from router.store.log.pagination import DEFAULT_PAGE_ITEMS, Page, cut, read_cursor
from router.store.log.send_reader import LoadedDeliveries, read_send_jobs
from router.store.schema.rows import SELECT_NOTIFICATION, AnyRow, read_attempt, read_notification
from router.store.schema.tables import attempts, deliveries, notifications

__all__ = [
    "DecisionItem",
    "DeliveryFilter",
    "DeliveryItem",
    "DeliveryLog",
    "DeliveryTrail",
    "NotificationFilter",
    "NotificationItem",
    "Timeline",
]


class DeliveryLog:
    """The log of a database, newest first."""

    def __init__(self, database: Database) -> None:
        """Read from a database."""
        self._database = database

    async def notifications(
        self,
        filter: NotificationFilter = ALL_NOTIFICATIONS,  # noqa: A002 - what it is
        limit: int = DEFAULT_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> Page[NotificationItem]:
        """Return a page of notifications; raises `CursorInvalid`."""
        query = select(notifications).where(*of_notifications(filter))
        if (last := read_cursor(cursor)) is not None:
            query = query.where(notifications.c.id < last)
        rows = await self._rows(query.order_by(notifications.c.id.desc()).limit(limit + 1))
        return cut([read_notification_item(row) for row in rows], limit, lambda item: item.id)

    async def notification(self, id: str) -> Timeline | None:
        """Return a notification's timeline; None when there is none by that id."""
        return await self._database.read(lambda connection: read_timeline(connection, id))

    async def payload(self, id: str) -> Notification | None:
        """Return a notification with the payload it came from, for explain and replay."""
        rows = await self._rows(SELECT_NOTIFICATION.where(notifications.c.id == id))
        return read_notification(rows[0]) if rows else None

    async def payloads(
        self, since: float, until: float, after: str, limit: int
    ) -> tuple[Notification, ...]:
        """Return notifications accepted in a time (epoch seconds) as they came, oldest first.

        Those whose ids are greater than `after`; at most `limit`.
        """
        when = (*of_notifications(NotificationFilter(since=since, until=until)),)
        query = SELECT_NOTIFICATION.where(*when, notifications.c.id > after).order_by(
            notifications.c.id
        )
        return tuple(map(read_notification, await self._rows(query.limit(limit))))

    async def count(self, since: float, until: float) -> int:
        """Return how many notifications were accepted in a time (epoch seconds)."""
        when = of_notifications(NotificationFilter(since=since, until=until))
        query = select(func.count()).select_from(notifications).where(*when)
        rows = await self._rows(query)
        return int(rows[0][0])

    async def deliveries(
        self,
        filter: DeliveryFilter = ALL_DELIVERIES,  # noqa: A002 - what it is
        limit: int = DEFAULT_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> Page[DeliveryItem]:
        """Return a page of deliveries; raises `CursorInvalid`."""
        beside = notifications.c.id == deliveries.c.notification
        query = select(deliveries).join(notifications, beside).where(*of_deliveries(filter))
        if (last := read_cursor(cursor)) is not None:
            query = query.where(deliveries.c.id < last)
        rows = await self._rows(query.order_by(deliveries.c.id.desc()).limit(limit + 1))
        return cut([read_delivery_item(row) for row in rows], limit, lambda item: item.id)

    async def delivery(self, id: str) -> DeliveryTrail | None:
        """Return a delivery with its attempts; None when there is none by that id."""
        trails = await self._database.read(lambda connection: read_trails(connection, id, id))
        return trails[0] if trails else None

    async def attempts(self, delivery: str) -> tuple[Attempt, ...]:
        """Return every try of a delivery, oldest first."""
        rows = await self._rows(
            select(attempts).where(attempts.c.delivery == delivery).order_by(attempts.c.started_at)
        )
        return tuple(map(read_attempt, rows))

    async def open_deliveries(
        self, ids: Sequence[str], known: LoadedDeliveries = MappingProxyType({})
    ) -> list[tuple[Delivery, Notification, Contact | None]]:
        """Return leased deliveries with what it takes to send them, in the order of the ids.

        The contact reads as it is now; it is None for a fixed destination, for an address that
        came with the payload (the delivery's own `address` then holds), and when it is gone.
        Deliveries that are no longer being sent are left out. Of those `known` nothing but the
        contact is read.
        """
        if all(id_ in known and not known[id_][0].contact for id_ in ids):
            return [(*known[id_], None) for id_ in ids]
        return await self._database.read_fast(
            lambda connection: read_send_jobs(connection, ids, known)
        )

    async def _rows(self, query: Select[Any]) -> Sequence[AnyRow]:
        return await self._database.read(lambda connection: connection.execute(query).all())
