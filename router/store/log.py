"""The delivery log: what was accepted, decided, sent, tried, and how it ended."""

from collections.abc import Sequence

from msgspec import Struct, field

from router.core.delivery import Attempt, Delivery, DeliveryState, NotificationState
from router.core.facts import Contact
from router.core.notification import Kind, Notification
from router.core.payload import Feed
from router.store.database import Database
from router.store.page import LIMIT, Page


class NotificationFilter(Struct, frozen=True, kw_only=True):
    """Which notifications to list; None lets all pass. Times are epoch seconds of acceptance."""

    state: NotificationState | None = None
    feed: Feed | None = None
    kind: Kind | None = None
    recipient: str | None = None
    app_id: str | None = field(default=None, name="appId")
    since: float | None = None
    until: float | None = None


class DeliveryFilter(Struct, frozen=True, kw_only=True):
    """Which deliveries to list; None lets all pass. Times are epoch seconds of acceptance."""

    state: DeliveryState | None = None
    channel: str | None = None
    rule: str | None = None
    notification: str | None = None
    recipient: str | None = None
    app_id: str | None = field(default=None, name="appId")
    since: float | None = None
    until: float | None = None


ALL_NOTIFICATIONS = NotificationFilter()
ALL_DELIVERIES = DeliveryFilter()


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
    """A delivery in a list; the address is masked, times are epoch seconds."""

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
    handle: str


class DeliveryTrail(Struct, frozen=True, kw_only=True):
    """A delivery with every try of it, oldest first."""

    delivery: DeliveryItem
    attempts: tuple[Attempt, ...]


class Decided(Struct, frozen=True, kw_only=True):
    """When and by which rules it was decided what to send; `version` is the ruleset's."""

    at: float
    version: str
    matched: tuple[str, ...]


class Timeline(Struct, frozen=True, kw_only=True):
    """Everything that happened to a notification; `decided` is None until it is."""

    notification: NotificationItem
    decided: Decided | None
    deliveries: tuple[DeliveryTrail, ...]


class Log:
    """The log of a database, newest first."""

    def __init__(self, database: Database) -> None:
        """Read from a database."""
        self._database = database

    async def notifications(
        self,
        filter: NotificationFilter = ALL_NOTIFICATIONS,  # noqa: A002 - what it is
        limit: int = LIMIT,
        cursor: str | None = None,
    ) -> Page[NotificationItem]:
        """Return a page of notifications; raises `CursorInvalid`."""
        raise NotImplementedError

    async def notification(self, id: str) -> Timeline | None:
        """Return a notification's timeline; None when there is none by that id."""
        raise NotImplementedError

    async def payload(self, id: str) -> Notification | None:
        """Return a notification with the payload it came from, for explain and replay."""
        raise NotImplementedError

    async def deliveries(
        self,
        filter: DeliveryFilter = ALL_DELIVERIES,  # noqa: A002 - what it is
        limit: int = LIMIT,
        cursor: str | None = None,
    ) -> Page[DeliveryItem]:
        """Return a page of deliveries; raises `CursorInvalid`."""
        raise NotImplementedError

    async def delivery(self, id: str) -> DeliveryTrail | None:
        """Return a delivery with its attempts; None when there is none by that id."""
        raise NotImplementedError

    async def attempts(self, delivery: str) -> tuple[Attempt, ...]:
        """Return every try of a delivery, oldest first."""
        raise NotImplementedError

    async def open_deliveries(
        self, ids: Sequence[str]
    ) -> list[tuple[Delivery, Notification, Contact | None]]:
        """Return leased deliveries with what it takes to send them, in the order of the ids.

        The contact reads as it is now; it is None for a fixed destination and for an address
        that came with the payload (the delivery's own `address` then holds). Deliveries that
        are no longer being sent are left out.
        """
        raise NotImplementedError
