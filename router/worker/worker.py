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
from router.queue.ports import LEASE_S, Capacity, Queue, Settlement
from router.telemetry import Metrics, describe_exception
from router.worker.daily_caps import DailyCaps, Limit
from router.worker.holds import HoldSynchronizer
from router.worker.lanes import SendJob
from router.worker.leases import Leases
from router.worker.load_deliveries import DeliveryLoader, LoadedDelivery, ReadDeliveries
from router.worker.outbox import MAX_IN_MEMORY, ChannelLookup, CountryOf, Dispatcher, LeaseHolder
from router.worker.outcome_writer import OutcomeWriter

POLL_INTERVAL_S = 0.5
"""Seconds between two looks for due deliveries when nothing happens."""
COUNT_INTERVAL_S = 10.0
"""Seconds between two counts of what is open."""
EAGER_CLAIM_S = 2.0
"""Seconds after `wake`, or a look that found something, in which every settlement is followed by a
look for due deliveries: one that waits for its lane can be claimed when the one before it is
settled."""
DRAIN_TIMEOUT_S = 5.0
"""Seconds that a stop waits for outcomes to be written."""

_log = structlog.get_logger(__name__)


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
        read: ReadDeliveries,
        channels: ChannelLookup,
        metrics: Metrics,
        *,
        names: Callable[[], Iterable[str]] = tuple,
        guard: RecipientGuard = NO_GUARD,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
        country: CountryOf = lambda _: "",
        app_cap: Limit = lambda _: 0,
    ) -> None:
        self._queue = queue
        self._loader = DeliveryLoader(read, clock)
        self._metrics = metrics
        self._names = names
        self._clock = clock
        self._leases = Leases(clock)
        self._outcome_writer = OutcomeWriter(queue.settle, self._on_settled)
        owner = LeaseHolder(
            is_leased=self._leases.is_current,
            settle=self._outcome_writer.add,
            drop_lease=self._leases.drop,
            refusals=self._leases.refusals,
            suspend=self._suspend,
            end_suspension=self._end_suspension,
            hold_host=self._hold_host,
            on_slot_free=self._on_slot_free,
        )
        self._caps = DailyCaps(
            queue,
            metrics,
            channel_cap=partial(_find_cap, channels),
            app_cap=app_cap,
            clock=clock,
        )
        self._dispatcher = Dispatcher(
            *(owner, channels, metrics),
            clock=clock,
            dice=dice,
            country=country,
            guard=guard,
            caps=self._caps,
        )
        self._holds = HoldSynchronizer(queue, self._dispatcher, metrics, clock=clock)
        self._reserved: Counter[str] = Counter()
        self._backlogged: set[str] = set()
        self._unread: list[str] = []
        self._returned: list[str] = []
        self._failing_steps: set[str] = set()
        self._polled_at = self._counted_at = float("-inf")
        self._eager_until = 0.0
        self._wake_event = asyncio.Event()
        self._stopped_event = asyncio.Event()
        self._stopped_event.set()
        self._stopping = self._stopped = False

    def room(self, channel: str) -> bool:
        """Return whether a delivery of the channel can be taken now, overtaking none on disk."""
        room = self._free_capacity(channel)
        is_ready = self._counted_at >= 0 and self._holds.is_known
        if self._stopping or not is_ready or channel in self._backlogged:
            return False
        if not room.non_urgent or len(self._leases) + self._reserved.total() >= MAX_IN_MEMORY:
            self._backlogged.add(channel)
            return False
        self._reserved[channel] += 1
        return True

    def take(self, delivery: Delivery, notification: Notification, contact: Contact | None) -> None:
        """Send a delivery that is already leased to this process."""
        self._reserved[delivery.channel] = max(0, self._reserved[delivery.channel] - 1)
        if self._leases.put(delivery.id, delivery.lease_until):
            self._accept((delivery, notification, contact))

    @property
    def is_stopped(self) -> bool:
        """Whether an operator holds all channels."""
        return self._holds.is_stopped

    def remember(self, delivery: Delivery, notification: Notification) -> None:
        """Keep what was just written and waits for room, to be sent without reading it back."""
        self._loader.remember(delivery, notification)

    def wake(self) -> None:
        """Look for due deliveries: some were just written."""
        self._reserved.clear()
        self._eager_until = self._clock() + EAGER_CLAIM_S
        self._wake_event.set()

    def reset(self, channels: Iterable[str]) -> None:
        """Try channels again whose settings are new, whatever came of the old ones."""
        self._holds.reset(channels)
        self._wake_event.set()

    def invalidate(self, uids: Collection[str], addresses: Collection[str]) -> None:
        """Read again what waits in memory for people or addresses: who is where has changed."""

        def is_theirs(job: SendJob) -> bool:
            contact = job.contact
            return contact is not None and (
                job.notification.uid in uids or contact.address in addresses
            )

        self._return_deliveries(self._dispatcher.remove_matching(is_theirs))
        self._wake_event.set()

    def recall(self, deliveries: Collection[str]) -> None:
        """Send none of these that it has not begun to send: an operator cancelled them."""
        unwanted = set(deliveries)
        for id_ in self._dispatcher.remove_matching(lambda job: job.delivery.id in unwanted):
            cancelled = Cancelled(BY_OPERATOR)
            self._outcome_writer.add(Settlement(delivery=id_, attempt=None, next=cancelled))

    async def run(self) -> None:
        """Deliver until stopped; whatever the queue or a channel does, it goes on."""
        self._stopped_event.clear()
        settling = asyncio.create_task(self._outcome_writer.run())
        try:
            while not self._stopped:
                await self._poll()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await self._wake_event.wait()
                self._wake_event.clear()
        finally:
            settling.cancel()
            self._stopped_event.set()

    async def stop(self, grace: float) -> None:
        """Send nothing more, give sends in flight `grace` seconds, and hand the rest back.

        A send that does not finish in time is cut off and handed back too: it may have arrived
        and is sent again, as after a crash.
        """
        self._stopping = True
        for channel in self._dispatcher.channels:
            self._return_deliveries(self._dispatcher.clear(channel))
        await self._dispatcher.close(grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self._outcome_writer.drain()
        self._stopped = True
        self._wake_event.set()
        await self._stopped_event.wait()
        self._return_deliveries(
            self._leases.all() - self._outcome_writer.list_unwritten() - set(self._returned)
        )
        await self._run_guarded(self._release)

    async def _poll(self) -> None:
        now = self._clock()
        if not 0 <= now - self._polled_at < POLL_INTERVAL_S:
            self._polled_at = now
            self._reserved.clear()
            for name in self._names():
                self._dispatcher.gate(name)
            self._dispatcher.abandon_stuck_sends()
            await self._run_guarded(self._extend)
            await self._run_guarded(self._pull_holds)
            await self._run_guarded(self._pull_recalls)
        await self._run_guarded(self._holds.push_holds)
        if not self._stopping and self._holds.is_known:
            await self._run_guarded(self._count_open)
            await self._run_guarded(self._claim)
        await self._run_guarded(self._release)

    async def _run_guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        name = step.__name__.strip("_")
        try:
            await step()
        except Exception as fault:  # noqa: BLE001 - it is tried again in the next turn
            if name not in self._failing_steps:
                _log.warning(
                    "queue operation failed, retrying", step=name, **describe_exception(fault)
                )
            self._failing_steps.add(name)
            return
        if name in self._failing_steps:
            _log.info("queue operation recovered", step=name)
            self._failing_steps.discard(name)

    async def _extend(self) -> None:
        ageing = self._leases.list_expiring()
        if ageing:
            until = self._clock() + LEASE_S
            await self._queue.extend(ageing, until=until)
            self._leases.extend(ageing, until)

    async def _pull_holds(self) -> None:
        capped = await self._caps.pull_counts()
        self._return_deliveries(await self._holds.pull_holds())
        for channel in capped:  # what waits in memory goes on where a count turned out lower
            self._dispatcher.send(channel)

    async def _pull_recalls(self) -> None:
        if recalled := await self._queue.recalled():
            self.recall(recalled)

    async def _release(self) -> None:
        while returned := self._returned[:MAX_IN_MEMORY]:
            await self._queue.release(returned)
            del self._returned[: len(returned)]
            for delivery in returned:
                if channel := self._leases.drop(delivery):
                    self._backlogged.add(channel)

    async def _count_open(self) -> None:
        """Learn which channels have open deliveries, those not configured any more too."""
        now = self._clock()
        if 0 <= now - self._counted_at < COUNT_INTERVAL_S:
            return
        stats = await self._queue.stats(now=now)
        self._counted_at = now
        for channel, counts in stats.items():
            self._dispatcher.gate(channel)
            if counts.due:
                self._backlogged.add(channel)
        self._metrics.set_open_deliveries(
            {
                channel: {"due": c.due, "waiting": c.waiting, "sending": c.sending}
                for channel, c in stats.items()
            }
        )

    async def _claim(self) -> None:
        await self._read_claimed()
        capacities = {
            channel: self._free_capacity(channel) for channel in self._dispatcher.channels
        }
        capacities = {channel: room for channel, room in capacities.items() if room.slots}
        limit = MAX_IN_MEMORY - len(self._leases)
        if limit <= 0 or not capacities:
            return
        now = self._clock()
        leases = await self._queue.claim(now=now, until=now + LEASE_S, limit=limit, room=capacities)
        if leases:
            self._eager_until = now + EAGER_CLAIM_S
        fresh = [
            lease
            for lease in leases
            if self._leases.put(lease.delivery, lease.until, lease.refusals)
        ]
        self._unread += [lease.delivery for lease in fresh]
        leased_by_channel = Counter(lease.channel for lease in leases)
        full = {
            c
            for c, room in capacities.items()
            if leased_by_channel[c] >= room.non_urgent or len(leases) >= limit
        }
        self._backlogged = (self._backlogged - capacities.keys()) | full
        await self._read_claimed()

    async def _read_claimed(self) -> None:
        if not self._unread:
            return
        claimed, self._unread = self._unread, []
        loaded, unreadable = await self._loader.load(claimed)
        for handed in loaded:
            self._accept(handed)
        self._return_deliveries(unreadable)
        for delivery in set(claimed) - {handed[0].id for handed in loaded} - set(self._returned):
            self._leases.drop(delivery)

    def _accept(self, handed: LoadedDelivery) -> None:
        self._leases.mark_loaded(handed[0].id, handed[0].channel)
        self._dispatcher.put(SendJob(*handed))

    def _return_deliveries(self, deliveries: Iterable[str]) -> None:
        self._returned += deliveries

    def _free_capacity(self, channel: str) -> Capacity:
        return self._dispatcher.free_capacity(channel, self._reserved[channel])

    def _on_slot_free(self, channel: str) -> None:
        if channel in self._backlogged and self._can_claim(channel):
            self._wake_event.set()

    def _can_claim(self, channel: str) -> bool:
        """Return whether a claim is worth its while: one for each free slot costs too much."""
        return self._free_capacity(channel).non_urgent >= self._dispatcher.gate(channel).slots // 4

    def _suspend(self, channel: str, until: float, reason: str) -> None:
        self._holds.add_hold(channel, "suspended", until, reason=reason)
        self._return_deliveries(self._dispatcher.clear(channel))
        self._wake_event.set()

    def _end_suspension(self, channel: str) -> None:
        self._holds.end_suspension(channel)
        self._wake_event.set()

    def _hold_host(self, channel: str, host: str, until: float) -> None:
        self._holds.add_hold(channel, "open", until, host)
        if not host:
            self._return_deliveries(self._dispatcher.clear(channel))
        self._wake_event.set()

    def _on_settled(self, settlements: Sequence[Settlement]) -> None:
        self._caps.written(settlements)
        for settlement in settlements:
            channel = self._leases.drop(settlement.delivery)
            step = settlement.next
            if not channel or not settlement.attempt or not isinstance(step, Hold):
                continue
            if step.scope == "channel":
                self._holds.discard_hold(channel, "suspended")
        if self._clock() < self._eager_until and any(
            map(self._can_claim, self._dispatcher.channels)
        ):
            self._wake_event.set()


def _find_cap(channels: ChannelLookup, name: str) -> int:
    channel = channels(name)
    return 0 if channel is None else parse_cap(channel.settings.cap)
