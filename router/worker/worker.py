"""Delivering: what is due is leased, sent once, and settled."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial

import structlog

from router.core.model.daily_cap import parse_cap
from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.core.model.recipient_guard import NO_GUARD, RecipientGuard
from router.core.model.retry import Cancelled, Hold
from router.core.model.unless import BY_OPERATOR
from router.queue.ports import LEASE, Queue, Room, Settlement
from router.telemetry import Metrics, name_fault
from router.worker.daily_caps import DailyCaps, Limit
from router.worker.holds import Holds
from router.worker.lanes import Handout
from router.worker.leases import Leases
from router.worker.load_deliveries import Handed, Read, Reading
from router.worker.outbox import MEMORY, Channels, Country, Outbox, Owner
from router.worker.outcome_writer import Settler

POLL = 0.5
"""Seconds between two looks for due deliveries when nothing happens."""
COUNT = 10.0
"""Seconds between two counts of what is open."""
EAGER = 2.0
"""Seconds after `wake`, or a look that found something, in which every settlement is followed by a
look for due deliveries: one that waits for its lane can be claimed when the one before it is
settled."""
DRAIN = 5.0
"""Seconds that a stop waits for outcomes to be written."""

_log = structlog.get_logger("router.worker")


class Worker:
    """Delivers what is due; `run` is its task, `stop` its end.

    It takes deliveries that are already leased (`room`, `take`) and claims the others; each is
    sent once a lease. One whose channel is not configured waits as `channel_gone` until the
    channel is back or the delivery expires. `names` are the channels configured now: of others
    it learns when it is asked for room or when it counts. `country` tells where an app's addresses
    are read, `app_cap` its daily cap.
    """

    def __init__(  # noqa: PLR0913 - its collaborators, brought together once
        self,
        queue: Queue,
        read: Read,
        channels: Channels,
        metrics: Metrics,
        *,
        names: Callable[[], Iterable[str]] = tuple,
        guard: RecipientGuard = NO_GUARD,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
        country: Country = lambda _: "",
        app_cap: Limit = lambda _: 0,
    ) -> None:
        self._queue = queue
        self._reading = Reading(read, clock)
        self._metrics = metrics
        self._names = names
        self._clock = clock
        self._leases = Leases(clock)
        self._settler = Settler(queue.settle, self._settled)
        owner = Owner(
            is_leased=self._leases.is_current,
            settle=self._settler.add,
            lose=self._leases.drop,
            refusals=self._leases.refusals,
            suspend=self._suspend,
            lift=self._lift,
            rest=self._rest,
            free=self._free,
        )
        self._caps = DailyCaps(
            queue,
            metrics,
            channel_cap=partial(_find_cap, channels),
            app_cap=app_cap,
            clock=clock,
        )
        self._outbox = Outbox(
            *(owner, channels, metrics),
            clock=clock,
            dice=dice,
            country=country,
            guard=guard,
            caps=self._caps,
        )
        self._holds = Holds(queue, self._outbox, metrics, clock=clock)
        self._promised: Counter[str] = Counter()
        self._behind: set[str] = set()
        self._unread: list[str] = []
        self._returned: list[str] = []
        self._failing: set[str] = set()
        self._polled_at = self._counted_at = float("-inf")
        self._eager_until = 0.0
        self._awake = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._stopping = self._stopped = False

    def room(self, channel: str) -> bool:
        """Return whether a delivery of the channel can be taken now, overtaking none on disk."""
        room = self._room(channel)
        is_ready = self._counted_at >= 0 and self._holds.is_known
        if self._stopping or not is_ready or channel in self._behind:
            return False
        if not room.ordinary or len(self._leases) + self._promised.total() >= MEMORY:
            self._behind.add(channel)
            return False
        self._promised[channel] += 1
        return True

    def take(self, delivery: Delivery, notification: Notification, contact: Contact | None) -> None:
        """Send a delivery that is already leased to this process."""
        self._promised[delivery.channel] = max(0, self._promised[delivery.channel] - 1)
        if self._leases.put(delivery.id, delivery.lease_until):
            self._accept((delivery, notification, contact))

    @property
    def is_stopped(self) -> bool:
        """Whether an operator holds all channels."""
        return self._holds.is_stopped

    def remember(self, delivery: Delivery, notification: Notification) -> None:
        """Keep what was just written and waits for room, to be sent without reading it back."""
        self._reading.remember(delivery, notification)

    def wake(self) -> None:
        """Look for due deliveries: some were just written."""
        self._promised.clear()
        self._eager_until = self._clock() + EAGER
        self._awake.set()

    def renew(self, channels: Iterable[str]) -> None:
        """Try channels again whose settings are new, whatever came of the old ones."""
        self._holds.renew(channels)
        self._awake.set()

    def reconsider(self, uids: Collection[str], addresses: Collection[str]) -> None:
        """Read again what waits in memory for people or addresses: who is where has changed."""

        def is_theirs(handout: Handout) -> bool:
            contact = handout.contact
            return contact is not None and (
                handout.notification.uid in uids or contact.address in addresses
            )

        self._hand_back(self._outbox.withdraw(is_theirs))
        self._awake.set()

    def recall(self, deliveries: Collection[str]) -> None:
        """Send none of these that it has not begun to send: an operator cancelled them."""
        unwanted = set(deliveries)
        for id_ in self._outbox.withdraw(lambda handout: handout.delivery.id in unwanted):
            cancelled = Cancelled(BY_OPERATOR)
            self._settler.add(Settlement(delivery=id_, attempt=None, next=cancelled))

    async def run(self) -> None:
        """Deliver until stopped; whatever the queue or a channel does, it goes on."""
        self._ended.clear()
        settling = asyncio.create_task(self._settler.run())
        try:
            while not self._stopped:
                await self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._awake.wait()
                self._awake.clear()
        finally:
            settling.cancel()
            self._ended.set()

    async def stop(self, grace: float) -> None:
        """Send nothing more, give sends in flight `grace` seconds, and hand the rest back.

        A send that does not finish in time is cut off and handed back too: it may have arrived
        and is sent again, as after a crash.
        """
        self._stopping = True
        for channel in self._outbox.channels:
            self._hand_back(self._outbox.clear(channel))
        await self._outbox.close(grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self._settler.drain()
        self._stopped = True
        self._awake.set()
        await self._ended.wait()
        self._hand_back(self._leases.all() - self._settler.unwritten() - set(self._returned))
        await self._guarded(self._release)

    async def _turn(self) -> None:
        now = self._clock()
        if not 0 <= now - self._polled_at < POLL:
            self._polled_at = now
            self._promised.clear()
            for name in self._names():
                self._outbox.gate(name)
            self._outbox.give_up_lost()
            await self._guarded(self._extend)
            await self._guarded(self._learn_holds)
            await self._guarded(self._learn_recalls)
        await self._guarded(self._holds.tell)
        if not self._stopping and self._holds.is_known:
            await self._guarded(self._count)
            await self._guarded(self._claim)
        await self._guarded(self._release)

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        name = step.__name__.strip("_")
        try:
            await step()
        except Exception as fault:  # noqa: BLE001 - it is tried again in the next turn
            if name not in self._failing:
                _log.warning("queue unavailable", step=name, **name_fault(fault))
            self._failing.add(name)
            return
        if name in self._failing:
            _log.info("queue available again", step=name)
            self._failing.discard(name)

    async def _extend(self) -> None:
        ageing = self._leases.ageing()
        if ageing:
            until = self._clock() + LEASE
            await self._queue.extend(ageing, until=until)
            self._leases.extend(ageing, until)

    async def _learn_holds(self) -> None:
        capped = await self._caps.learn()
        self._hand_back(await self._holds.learn())
        for channel in capped:  # what waits in memory goes on where a count turned out lower
            self._outbox.send(channel)

    async def _learn_recalls(self) -> None:
        if recalled := await self._queue.recalled():
            self.recall(recalled)

    async def _release(self) -> None:
        while returned := self._returned[:MEMORY]:
            await self._queue.release(returned)
            del self._returned[: len(returned)]
            for delivery in returned:
                if channel := self._leases.drop(delivery):
                    self._behind.add(channel)

    async def _count(self) -> None:
        """Learn which channels have open deliveries, those not configured any more too."""
        now = self._clock()
        if 0 <= now - self._counted_at < COUNT:
            return
        stats = await self._queue.stats(now=now)
        self._counted_at = now
        for channel, counts in stats.items():
            self._outbox.gate(channel)
            if counts.due:
                self._behind.add(channel)
        self._metrics.open_deliveries(
            {
                channel: {"due": c.due, "waiting": c.waiting, "sending": c.sending}
                for channel, c in stats.items()
            }
        )

    async def _claim(self) -> None:
        await self._read_claimed()
        rooms = {channel: self._room(channel) for channel in self._outbox.channels}
        rooms = {channel: room for channel, room in rooms.items() if room.slots}
        limit = MEMORY - len(self._leases)
        if limit <= 0 or not rooms:
            return
        now = self._clock()
        leases = await self._queue.claim(now=now, until=now + LEASE, limit=limit, room=rooms)
        if leases:
            self._eager_until = now + EAGER
        fresh = [
            lease
            for lease in leases
            if self._leases.put(lease.delivery, lease.until, lease.refusals)
        ]
        self._unread += [lease.delivery for lease in fresh]
        given = Counter(lease.channel for lease in leases)
        full = {c for c, room in rooms.items() if given[c] >= room.ordinary or len(leases) >= limit}
        self._behind = (self._behind - rooms.keys()) | full
        await self._read_claimed()

    async def _read_claimed(self) -> None:
        if not self._unread:
            return
        claimed, self._unread = self._unread, []
        found, unreadable = await self._reading.take(claimed)
        for handed in found:
            self._accept(handed)
        self._hand_back(unreadable)
        for delivery in set(claimed) - {handed[0].id for handed in found} - set(self._returned):
            self._leases.drop(delivery)

    def _accept(self, handed: Handed) -> None:
        self._leases.hold(handed[0].id, handed[0].channel)
        self._outbox.put(Handout(*handed))

    def _hand_back(self, deliveries: Iterable[str]) -> None:
        self._returned += deliveries

    def _room(self, channel: str) -> Room:
        return self._outbox.room(channel, self._promised[channel])

    def _free(self, channel: str) -> None:
        if channel in self._behind and self._is_roomy(channel):
            self._awake.set()

    def _is_roomy(self, channel: str) -> bool:
        """Return whether a claim is worth its while: one for each free slot costs too much."""
        return self._room(channel).ordinary >= self._outbox.gate(channel).slots // 4

    def _suspend(self, channel: str, until: float, reason: str) -> None:
        self._holds.note(channel, "suspended", until, reason=reason)
        self._hand_back(self._outbox.clear(channel))
        self._awake.set()

    def _lift(self, channel: str) -> None:
        self._holds.lift(channel)
        self._awake.set()

    def _rest(self, channel: str, host: str, until: float) -> None:
        self._holds.note(channel, "open", until, host)
        if not host:
            self._hand_back(self._outbox.clear(channel))
        self._awake.set()

    def _settled(self, settlements: Sequence[Settlement]) -> None:
        self._caps.written(settlements)
        for settlement in settlements:
            channel = self._leases.drop(settlement.delivery)
            step = settlement.next
            if not channel or not settlement.attempt or not isinstance(step, Hold):
                continue
            if step.scope == "channel":
                self._holds.forget(channel, "suspended")
        if self._clock() < self._eager_until and any(map(self._is_roomy, self._outbox.channels)):
            self._awake.set()


def _find_cap(channels: Channels, name: str) -> int:
    channel = channels(name)
    return 0 if channel is None else parse_cap(channel.settings.cap)
