"""One of several workers on one database, as a process of its own: it can be cut off and killed."""

import asyncio
import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from router.core.model.delivery import Delivery
from router.core.model.message import Message
from router.core.model.notification import Notification
from router.core.model.outcome import Outcome
from router.queue.engine import SqlQueue
from router.queue.ports import Capacity, Lease, Settlement
from router.store.db.database import Database
from router.store.errors import StoreUnavailable
from tests.worker.harness import Collapsing, Script, ScriptedSettings
from tests.worker.sql_harness import SqlHarness
from tests.worker.virtual_time import now

T = TypeVar("T")


class LeasedQueue(SqlQueue):
    """The queue; it knows what its worker has been leased, and can be out of reach for a while."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.leases: dict[str, float] = {}
        self.back_at = -math.inf
        self.lost: set[str] = set()
        """Deliveries whose leases may have run out, since the queue was out of reach."""

    def cut(self, until: float) -> None:
        """Be out of reach until a time."""
        self.back_at = until
        self.lost |= self.leases.keys()

    async def claim(
        self, *, now: float, until: float, limit: int, room: Mapping[str, Capacity] | None = None
    ) -> Sequence[Lease]:
        found = await self._reach(super().claim(now=now, until=until, limit=limit, room=room))
        for lease in found:
            self.note(lease.delivery, lease.until)
        return found

    def note(self, delivery: str, until: float) -> None:
        """Know of a lease; while the queue is out of reach, it may run out."""
        self.leases[delivery] = until
        if self._is_away():
            self.lost.add(delivery)

    async def extend(self, ids: Sequence[str], *, until: float) -> None:
        await self._reach(super().extend(ids, until=until))
        self.leases |= {id_: until for id_ in ids if id_ in self.leases}

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        lost = await self._reach(super().settle(settlements))
        for settlement in settlements:
            self.leases.pop(settlement.delivery, None)
        return lost

    async def release(self, ids: Sequence[str]) -> None:
        await self._reach(super().release(ids))
        for id_ in ids:
            self.leases.pop(id_, None)

    async def _reach(self, work: Coroutine[Any, Any, T]) -> T:
        if self._is_away():
            work.close()
            raise StoreUnavailable("it is out of reach")
        return await work

    def _is_away(self) -> bool:
        return now() < self.back_at


@dataclass
class Provider:
    """What all the workers send to: the deliveries in the order of their sends.

    `broken` tells of those that were sent while another worker had a right to its lane.
    """

    sent: list[str] = field(default_factory=list)
    under_way: dict[str, dict[str, "Door"]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def enter(self, lane: str, delivery: str, door: "Door") -> None:
        """Note that a send begins: another in its lane must have lost its lease by now."""
        self.sent.append(delivery)
        others = self.under_way.setdefault(lane, {})
        for other, its in others.items():
            if its.queue.leases.get(other, 0.0) > now():
                self.broken.append(f"{delivery} sent while {other} was, within its lease")
        others[delivery] = door

    def leave(self, lane: str, delivery: str, door: "Door") -> None:
        """Note that a send ends."""
        if self.under_way[lane].get(delivery) is door:
            del self.under_way[lane][delivery]


class Door(Collapsing):
    """The way from one worker to the provider; nothing gets through once it is shut."""

    def __init__(
        self, settings: ScriptedSettings, script: Script, provider: Provider, queue: LeasedQueue
    ) -> None:
        super().__init__(settings, script)
        self.provider = provider
        self.queue = queue
        self._is_shut = False
        self.under_way: set[asyncio.Task[object]] = set()

    async def send(self, message: Message) -> Outcome:
        task, lane = asyncio.current_task(), message.address
        assert task is not None
        if self._is_shut:
            await asyncio.Event().wait()
        self.under_way.add(task)
        self.provider.enter(lane, message.delivery, self)
        try:
            return await super().send(message)
        finally:
            self.provider.leave(lane, message.delivery, self)
            self.under_way.discard(task)

    def shut(self) -> None:
        """Cut off what is under way, and let nothing through any more."""
        self._is_shut = True
        for task in self.under_way:
            task.cancel()


class Rival(SqlHarness):
    """One of several workers on one database, which is opened for it alone."""

    def __init__(
        self, database: Database, script: Script, provider: Provider, concurrency: int
    ) -> None:
        self.queue = LeasedQueue(database)
        self.door = Door(ScriptedSettings(concurrency=concurrency), script, provider, self.queue)
        super().__init__(database, self.door, self.queue)
        self.run = asyncio.create_task(self.worker.run())

    def take(self, delivery: Delivery, about: Notification) -> None:
        self.queue.note(delivery.id, delivery.lease_until)
        super().take(delivery, about)

    def stall(self, seconds: float) -> None:
        """Lose sight of the queue for a while; sends go on."""
        self.queue.cut(now() + seconds)

    def kill(self) -> None:
        """Die: what it holds stays leased, and what it was sending is cut off."""
        self.queue.cut(math.inf)
        self.door.shut()

    async def stop(self) -> None:
        """Stop the worker, dead or alive."""
        await self.worker.stop(0)
        await self.run
