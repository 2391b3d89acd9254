"""The two ports on the tables of the database."""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from msgspec.structs import replace
from sqlalchemy import Connection, select

from router.core.model.daily_cap import Cap
from router.core.model.notification import Notification
from router.core.model.read_receipt import ReadReceipt
from router.queue import claim as claims
from router.queue import daily_counts
from router.queue import settle as settlements
from router.queue.accept import ACCEPT, ACCEPT_TIMEOUT_S, read_unplanned
from router.queue.channels import count_open, read_holds
from router.queue.plan import plan_operation
from router.queue.ports import (
    CAUSES,
    AcceptedPayload,
    Capacity,
    Cause,
    ChannelHold,
    ChannelStats,
    DailyCount,
    JournalUnavailable,
    Lease,
    Plan,
    PlanResults,
    Receipt,
    Settlement,
)
from router.queue.read_receipts import RECORD_READ_RECEIPTS
from router.queue.settle import settle_operation
from router.store.db.database import Database
from router.store.errors import StoreUnavailable
from router.store.schema.tables import deliveries, is_recalled

MAX_CLAIM_TRIES = 5
"""How often a claim is tried while other processes claim."""
CLAIM_RETRY_INTERVAL_S = 0.02
"""Seconds between two such tries."""


class SqlJournal:
    """The journal of accepted notifications, on the tables."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        patience: float = ACCEPT_TIMEOUT_S,
    ) -> None:
        """Use a database; give an entry up after `patience` seconds."""
        self._database = database
        self._clock = clock
        self._accept = replace(ACCEPT, patience=patience)
        self._hear = replace(RECORD_READ_RECEIPTS, patience=patience)
        self._plan = plan_operation(database.owner, clock)

    async def append(self, entry: AcceptedPayload) -> Receipt:
        """Return once the entry is on disk, or at once with the id of its first."""
        try:
            return await self._database.writer.put(self._accept, entry)
        except StoreUnavailable as error:
            raise JournalUnavailable(str(error)) from error

    async def unplanned(self, *, after: str, limit: int) -> Sequence[Notification]:
        """Return accepted notifications without a plan, oldest first, with ids above `after`.

        Those whose body cannot be read any more are put to the dead letters.
        """
        try:
            rows, unreadable = await self._database.read_fast(
                lambda connection: read_unplanned(connection, after, limit)
            )
        except StoreUnavailable as error:
            raise JournalUnavailable(str(error)) from error
        now = self._clock()
        await self.settle(
            [
                Plan(
                    notification=id_,
                    decided_at=now,
                    state="undecidable",
                    reason=f"its body cannot be read: {reason}",
                    version="",
                )
                for id_, reason in unreadable.items()
            ]
        )
        return rows

    async def settle(self, plans: Sequence[Plan]) -> PlanResults:
        """Write the plans with their deliveries and effects, each in one piece."""
        leased: set[str] = set()
        stale: set[str] = set()
        refused: dict[str, str] = {}
        results = await self._database.writer.put_all(self._plan, plans)
        for plan, result in zip(plans, results, strict=True):
            match result:
                case StoreUnavailable():
                    raise JournalUnavailable(str(result)) from result
                case Exception():
                    refused[plan.notification] = f"cannot be written: {type(result).__name__}"
                case None:
                    stale.add(plan.notification)
                case _:
                    leased |= result
        return PlanResults(leased=frozenset(leased), stale=frozenset(stale), refused=refused)

    async def record_read_receipt(self, receipt: ReadReceipt, *, now: float) -> None:
        """Return once it is on disk who read what, and what that makes needless is cancelled."""
        try:
            await self._database.writer.put(self._hear, (receipt, now))
        except StoreUnavailable as error:
            raise JournalUnavailable(str(error)) from error


class SqlQueue:
    """The queue of deliveries, on the tables."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._owner = database.owner
        self._clock = clock
        self._settle = settle_operation(database.owner, clock)

    async def claim(
        self, *, now: float, until: float, limit: int, room: Mapping[str, Capacity] | None = None
    ) -> Sequence[Lease]:
        """Lease due deliveries of channels not held, urgent ones first, then oldest first."""

        def work(connection: Connection) -> list[Lease] | None:
            return claims.claim(
                connection, owner=self._owner, now=now, until=until, limit=limit, room=room
            )

        for _ in range(MAX_CLAIM_TRIES):
            leases = await self._database.write(work)
            if leases is not None:
                return leases
            await asyncio.sleep(CLAIM_RETRY_INTERVAL_S)
        return []

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        """Write attempts and what follows; return ids whose lease was lost.

        One that cannot be written does not hold the others up; its error is raised at the end.
        """
        results = await self._database.writer.put_all(self._settle, settlements)
        for result in results:
            if isinstance(result, Exception):
                raise result
        pairs = zip(settlements, results, strict=True)
        return [settlement.delivery for settlement, held in pairs if not held]

    async def take_over(self) -> None:
        """Make due what is leased to anybody, as when every lease had run out.

        Only who knows that nobody else is at work may do that.
        """
        now = self._clock()
        await self._database.write(
            lambda connection: claims.reclaim_expired_leases(connection, math.inf, now)
        )

    async def extend(self, ids: Sequence[str], *, until: float) -> None:
        """Keep leased deliveries longer."""
        await self._database.write(lambda c: settlements.extend(c, ids, until, owner=self._owner))

    async def release(self, ids: Sequence[str]) -> None:
        """Hand leased deliveries back unsent, due at once; those cancelled meanwhile end."""
        now = self._clock()
        await self._database.write(
            lambda c: settlements.release(c, ids, owner=self._owner, now=now)
        )

    async def recalled(self) -> Sequence[str]:
        """Return those leased to this process that an operator cancelled."""
        query = select(deliveries.c.id).where(is_recalled, deliveries.c.leased_to == self._owner)
        return await self._database.read_fast(lambda c: c.execute(query).scalars().all())

    async def pause(self, channel: str, *, cause: Cause, until: float, host: str = "") -> None:
        """Hold a channel, or one host of it, for a cause until a time; the later wins."""
        await self._database.write(
            lambda c: settlements.hold_channel(c, channel, cause, until, host)
        )

    async def resume(self, channel: str, *, causes: Collection[Cause] = CAUSES) -> None:
        """End what holds a channel, its hosts and its lanes for these causes."""

        def work(connection: Connection) -> None:
            settlements.resume_channel(connection, channel, causes)
            if "cap" in causes:
                daily_counts.lift_cap(connection, channel)

        await self._database.write(work)

    async def holds(self, *, now: float) -> Sequence[ChannelHold]:
        """Return the causes in force."""
        return await self._database.read_fast(lambda c: read_holds(c, now))

    async def daily_counts(self, *, now: float) -> Sequence[DailyCount]:
        """Return how many sends counted against caps on the day of `now`."""
        return await self._database.read_fast(lambda c: daily_counts.read_counts(c, now))

    async def set_cap(self, cap: Cap, *, now: float) -> None:
        """Replace the cap of a channel or an app that has counted sends on the day of `now`."""
        await self._database.write(lambda c: daily_counts.set_cap(c, cap, now))
        is_reached = any(
            count.is_reached and (count.cap.scope, count.cap.name) == (cap.scope, cap.name)
            for count in await self.daily_counts(now=now)
        )
        if cap.scope == "channel" or is_reached:
            return
        released = partial(daily_counts.release_capped, app_id=cap.name, now=now)
        while await self._database.write(released) == daily_counts.RELEASED_PER_TRANSACTION:
            pass

    async def stats(self, *, now: float) -> dict[str, ChannelStats]:
        """Return counts by channel."""
        return await self._database.read(lambda connection: count_open(connection, now))
