"""The harness on a database: a worker, and a planner that decides what it is told."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from router.core.model.delivery import Delivery
from router.core.model.message import Content
from router.core.model.notification import Notification, derive
from router.core.model.payload import decode
from router.queue.engine import SqlJournal, SqlQueue
from router.queue.ports import LEASE_S, AcceptedPayload, Plan
from router.store.db.connection import WriteConnection
from router.store.db.database import Database
from router.store.log.log import DeliveryLog
from router.store.schema.tables import are_open, attempts, deliveries
from router.telemetry import Metrics
from router.worker import Worker
from tests.worker.harness import HOUR, Scripted
from tests.worker.sending_laws import Planned
from tests.worker.virtual_time import now, threaded

T = TypeVar("T")


class TimelessLine:
    """A line over which a transaction takes no time."""

    def __init__(self, line: WriteConnection) -> None:
        self._line = line

    async def commit(self, work: Callable[[Connection], T]) -> T:
        return await threaded(self._line.commit(work))

    async def close(self) -> None:
        await threaded(self._line.close())


class TimelessDatabase(Database):
    """A database in virtual time: nothing that it does takes any, over threads or sockets."""

    def __init__(
        self, readers: AsyncEngine, line: WriteConnection, glances: WriteConnection | None
    ) -> None:
        super().__init__(readers, TimelessLine(line), glances and TimelessLine(glances))

    async def read(self, query: Callable[[Connection], T]) -> T:
        return await threaded(super().read(query))


class SqlHarness:
    """A worker on a database, and a planner that decides what it is told."""

    def __init__(
        self, database: Database, channel: Scripted, queue: SqlQueue | None = None
    ) -> None:
        self.database = database
        self.journal = SqlJournal(database, clock=now)
        self.log = DeliveryLog(database)
        self.worker = Worker(
            queue or SqlQueue(database),
            self.log.open_deliveries,
            {"ops": channel}.get,
            Metrics(),
            names=lambda: ["ops"],
            clock=now,
            dice=lambda: 0.5,
        )

    async def accept(self, number: int, plan: Planned) -> Notification:
        """Accept a notification."""
        details = {"title": f"title {number}", "type": "call" if plan.urgent else "chat"}
        data = {"to": {"uid": plan.address}, "notificationDetails": details}
        trigger = "push-notification-payload-generated"
        body = msgspec.json.encode({"trigger": trigger, "webhook": "custom", "data": data})
        about = derive(decode(body), id=f"{number:028x}", accepted_at=now())
        await self.journal.append(AcceptedPayload(notification=about, body=body, window=HOUR))
        return about

    async def plan(
        self, accepted: Sequence[tuple[Notification, Planned]]
    ) -> list[tuple[Notification, Planned]]:
        """Write plans, and hand over what is wished and possible; return what came too early."""
        parts = {about.id: self._delivery(about, plan) for about, plan in accepted}
        plans = [
            Plan(
                notification=about.id,
                decided_at=now(),
                state="pending",
                version="v",
                deliveries=(parts[about.id],),
            )
            for about, _ in accepted
        ]
        settled = await self.journal.settle(plans)
        assert not settled.refused
        for about, _ in accepted:
            if parts[about.id].id in settled.leased:
                self.take(parts[about.id], about)
        if len(settled.leased) < len(plans):
            self.worker.wake()
        return [each for each in accepted if each[0].id in settled.stale]

    def take(self, delivery: Delivery, about: Notification) -> None:
        """Hand a delivery over that is leased already."""
        self.worker.take(delivery, about, None)

    async def is_over(self) -> bool:
        """Return whether every delivery has ended."""
        left = [select(func.count()).where(is_open) for is_open in are_open(deliveries)]
        return not await self.database.read(
            lambda connection: sum(connection.execute(each).scalar_one() for each in left)
        )

    async def tally(self) -> tuple[dict[str, str], Counter[str]]:
        """Return the state of every delivery, and how many attempts of each were written."""
        ends = select(deliveries.c.id, deliveries.c.state)
        made = select(attempts.c.delivery, func.count().label("made")).group_by(attempts.c.delivery)
        return await self.database.read(
            lambda connection: (
                {row.id: row.state for row in connection.execute(ends)},
                Counter({row.delivery: row.made for row in connection.execute(made)}),
            )
        )

    def _delivery(self, about: Notification, plan: Planned) -> Delivery:
        is_handed = plan.handed and self.worker.room("ops")
        return Delivery(
            id=f"{about.id}-0",
            notification=about.id,
            rule="rule",
            step=0,
            channel="ops",
            address=plan.address,
            lane=plan.address,
            due_at=now(),
            expires_at=now() + HOUR,
            state="sending" if is_handed else "waiting",
            lease_until=now() + LEASE_S if is_handed else 0.0,
            handouts=int(is_handed),
            urgent=plan.urgent,
            content=Content(title="title", body="body"),
        )
