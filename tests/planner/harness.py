"""The harness for a planner: a real database, and a worker that notes what it is given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from router.core.decide.decide import decide
from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.core.model.recipient_guard import NO_GUARD
from router.core.rules.ruleset import Ruleset
from router.planner import Planner
from router.planner.planner import Decide
from router.queue.engine import SqlJournal
from router.store.db.database import Database
from router.store.facts_reader import FactsReader
from router.store.log.log import DeliveryLog
from router.store.recipients.repository import Recipients, Registration
from router.telemetry import Metrics
from tests.core.rulesets import rulebook
from tests.queue.rows import QueueRows
from tests.queue.test_sql_engine import SqlEngine

TO_APP = "rules: [{name: all, send: [app]}]"


@dataclass
class Worker:
    """Notes what it is given; `full` channels take nothing."""

    full: set[str] = field(default_factory=set)
    taken: list[tuple[Delivery, Notification, Contact | None]] = field(default_factory=list)
    remembered: list[str] = field(default_factory=list)
    wakes: int = 0
    given: asyncio.Event = field(default_factory=asyncio.Event)

    def room(self, channel: str) -> bool:
        return channel not in self.full

    def take(self, delivery: Delivery, notification: Notification, contact: Contact | None) -> None:
        self.taken.append((delivery, notification, contact))
        self.given.set()

    def remember(self, delivery: Delivery, notification: Notification) -> None:
        self.remembered.append(delivery.id)

    def wake(self) -> None:
        self.wakes += 1

    @property
    def ids(self) -> list[str]:
        return [delivery.id for delivery, _, _ in self.taken]


class Harness:
    """A planner over a real database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.engine = SqlEngine.over(database)
        self.queue_rows = QueueRows(self.engine)
        self.log = DeliveryLog(database)
        self.recipients = Recipients(database, lambda: self.queue_rows.now)
        self.worker = Worker()
        self.ruleset: Ruleset | None = rulebook(TO_APP)
        self.journal: Any = SqlJournal(database)
        self.decide: Decide = decide
        self.metrics = Metrics()
        self.guard = NO_GUARD

    async def know(self, *uids: str) -> None:
        for uid in uids:
            await self.recipients.register(
                uid, Registration(platform="p", address=f"of-{uid}"), "app"
            )

    @asynccontextmanager
    async def planning(self) -> AsyncIterator[Planner]:
        running = Planner(
            self.journal,
            FactsReader(self.database, self.guard),
            lambda: self.ruleset,
            self.worker,
            clock=lambda: self.queue_rows.now,
            metrics=self.metrics,
            decide=self.decide,
        )
        task = asyncio.create_task(running.run())
        try:
            yield running
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def plan(self) -> None:
        """Plan everything there is, as after a start."""
        async with self.planning() as running:
            await running.drain()

    async def state(self, notification: Notification) -> tuple[str, str]:
        timeline = await self.log.notification(notification.id)
        assert timeline is not None
        return timeline.notification.state, timeline.notification.reason
