"""A queue in memory, as the port describes it, with faults on demand."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from router.core.model.daily_cap import CAPPED, Cap, day_of, end_of
from router.core.model.delivery import Attempt, Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.core.model.retry import (
    MAX_HANDOUTS,
    Again,
    Cancelled,
    Dead,
    Done,
    Expired,
    Hold,
    Suppressed,
)
from router.queue.ports import (
    ALL_CHANNELS,
    CAUSES,
    Capacity,
    Cause,
    ChannelHold,
    ChannelStats,
    DailyCount,
    Lease,
    Settlement,
)
from router.worker.load_deliveries import KnownDeliveries
from tests.worker.virtual_time import now as clock


@dataclass
class MemoryQueue:
    """Holds deliveries; while `down` every call raises, while `rigid` extending does."""

    counts: dict[tuple[int, str, str], DailyCount] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    notifications: dict[str, Notification] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    causes: dict[tuple[str, Cause, str], float] = field(default_factory=dict)
    lanes: dict[tuple[str, str], float] = field(default_factory=dict)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    down: bool = False
    rigid: bool = False
    poisoned: set[str] = field(default_factory=set)
    unwanted: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    batches: list[int] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    read_back: list[str] = field(default_factory=list)

    async def claim(
        self, *, now: float, until: float, limit: int, room: Mapping[str, Capacity] | None = None
    ) -> Sequence[Lease]:
        self._check()
        self._end_overdue(now)
        given: Counter[str] = Counter()
        ordinary: Counter[str] = Counter()
        leases: list[Lease] = []
        taken = {
            (d.channel, d.lane)
            for d in self.deliveries.values()
            if d.state == "sending" and d.lease_until > now
        }
        held = {held.channel for held in await self.holds(now=now) if not held.host}
        probed = {channel for channel, each in (room or {}).items() if each.probes}

        def rank(due: Delivery) -> tuple[object, ...]:
            is_probe = due.channel in probed
            is_refused = is_probe and self.refusals[due.channel, due.lane] > 0
            return is_refused, due.urgent == is_probe, due.due_at, due.id

        for due in sorted(self._due(now), key=rank):
            lane = (due.channel, due.lane)
            space = Capacity(slots=limit, non_urgent=limit)
            if room is not None:
                space = room.get(due.channel, Capacity(slots=0, non_urgent=0))
            is_full = given[due.channel] >= space.slots or (
                not due.urgent and ordinary[due.channel] >= space.non_urgent
            )
            is_held = bool(held & {due.channel, ALL_CHANNELS})
            is_held |= self.lanes.get(lane, 0.0) > now
            if is_held or is_full or lane in taken or len(leases) == limit:
                continue
            taken.add(lane)
            given[due.channel] += 1
            ordinary[due.channel] += not due.urgent
            self._change(due.id, state="sending", lease_until=until, handouts=due.handouts + 1)
            refusals = self.refusals[lane]
            leases.append(
                Lease(delivery=due.id, channel=due.channel, until=until, refusals=refusals)
            )
        return leases

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        self._check()
        if self.poisoned & {settlement.delivery for settlement in settlements}:
            raise ValueError("a row that no database takes")
        self.batches.append(len(settlements))
        lost = [s.delivery for s in settlements if self.deliveries[s.delivery].state != "sending"]
        for settlement in settlements:
            if settlement.delivery not in lost:
                self._settle(settlement)
        return lost

    async def extend(self, ids: Sequence[str], *, until: float) -> None:
        self._check()
        if self.rigid:
            raise ConnectionError("leases cannot be extended")
        for delivery in ids:
            if self.deliveries[delivery].state == "sending":
                self._change(delivery, lease_until=until)

    async def release(self, ids: Sequence[str]) -> None:
        self._check()
        self.released += ids
        for delivery in ids:
            if self.deliveries[delivery].state == "sending":
                self._change(delivery, state="waiting", handouts=0)

    async def recalled(self) -> Sequence[str]:
        self._check()
        leased = (id_ for id_, d in self.deliveries.items() if d.state == "sending")
        return [id_ for id_ in leased if id_ in self.unwanted]

    async def pause(self, channel: str, *, cause: Cause, until: float, host: str = "") -> None:
        self._check()
        self._hold(channel, cause, until, host)

    async def resume(self, channel: str, *, causes: Collection[Cause] = CAUSES) -> None:
        self._check()
        for key in [key for key in self.causes if key[0] == channel and key[1] in causes]:
            del self.causes[key]
        capped = (day_of(clock()), "channel", channel)
        if "cap" in causes and (count := self.counts.get(capped)) and count.is_reached:
            self.counts[capped] = replace(count, lifted=True)
        if "open" in causes:
            self.lanes = {lane: until for lane, until in self.lanes.items() if lane[0] != channel}

    async def holds(self, *, now: float) -> list[ChannelHold]:
        self._check()
        return [
            ChannelHold(channel=channel, cause=cause, host=host, until=until)
            for (channel, cause, host), until in self.causes.items()
            if until > now
        ] + [
            ChannelHold(channel=name, cause="cap", until=end_of(day))
            for (day, scope, name), count in self.counts.items()
            if day == day_of(now) and scope == "channel" and count.is_reached
        ]

    async def daily_counts(self, *, now: float) -> Sequence[DailyCount]:
        self._check()
        return [count for (day, _, _), count in self.counts.items() if day == day_of(now)]

    async def set_cap(self, cap: Cap, *, now: float) -> None:
        self._check()
        key = (day_of(now), cap.scope, cap.name)
        self.counts[key] = replace(self.counts[key], cap=cap)
        if cap.scope == "channel" or self.counts[key].is_reached:
            return
        for id_, delivery in self.deliveries.items():
            is_of_app = self.notifications[delivery.notification].app_id == cap.name
            if is_of_app and (delivery.state, delivery.reason) == ("waiting", CAPPED):
                self._change(id_, due_at=now, reason="")

    async def stats(self, *, now: float) -> dict[str, ChannelStats]:
        self._check()
        due, waiting, sending = Counter[str](), Counter[str](), Counter[str]()
        for delivery in self.deliveries.values():
            if delivery.state == "sending":
                sending[delivery.channel] += 1
            elif delivery.state == "waiting":
                (due if delivery.due_at <= now else waiting)[delivery.channel] += 1
        return {
            c: ChannelStats(due=due[c], waiting=waiting[c], sending=sending[c])
            for c in {*due, *waiting, *sending}
        }

    async def read(
        self, ids: Sequence[str], known: KnownDeliveries
    ) -> list[tuple[Delivery, Notification, Contact | None]]:
        """Return what the log would return for leased deliveries."""
        self.read_back += [id_ for id_ in ids if id_ not in known]
        self._check()
        if self.unreadable & set(ids):
            raise ValueError("a row of another version")
        found = [self.deliveries[i] for i in ids if i in self.deliveries]
        return [
            (d, self.notifications[d.notification], self.contacts.get(d.contact)) for d in found
        ]

    def add(self, delivery: Delivery, notification: Notification, *, leased: bool = False) -> bool:
        """Write a planned delivery; return whether it is leased to the caller, as it wished."""
        free = (
            not any(
                other.channel == delivery.channel
                and other.lane == delivery.lane
                and (
                    other.state == "sending"
                    or (other.state == "waiting" and other.due_at <= clock())
                )
                for other in self.deliveries.values()
            )
            and not self.refusals[delivery.channel, delivery.lane]
        )
        state = "sending" if leased and free else "waiting"
        self.notifications[notification.id] = notification
        self.deliveries[delivery.id] = replace(delivery, state=state)
        return state == "sending"

    def cancel(self, delivery: str) -> None:
        """Cancel a delivery, as when its contact goes while it is sent."""
        self._change(delivery, state="cancelled")

    def _check(self) -> None:
        if self.down:
            raise ConnectionError("the database is away")

    def _due(self, now: float) -> list[Delivery]:
        return [
            d
            for d in self.deliveries.values()
            if (d.state == "waiting" and d.due_at <= now)
            or (d.state == "sending" and d.lease_until <= now)
        ]

    def _end_overdue(self, now: float) -> None:
        for due in self._due(now):
            if due.expires_at <= now:
                self._change(due.id, state="expired", reason="expired before it was sent")
            elif due.handouts >= MAX_HANDOUTS:
                self._change(due.id, state="dead", reason="crash_loop")

    def _settle(self, settlement: Settlement) -> None:
        ended = settlement.delivery
        attempts = self.deliveries[ended].attempts
        if settlement.attempt is not None:
            self.attempts.append(settlement.attempt)
            for cap in settlement.caps:
                key = (day_of(settlement.attempt.ended_at), cap.scope, cap.name)
                before = self.counts.get(key, DailyCount(cap=cap, count=0))
                self.counts[key] = replace(before, cap=cap, count=before.count + 1)
        match settlement.next:
            case Done(handle=handle):
                self._change(
                    ended, state="delivered", reason="", handle=handle, attempts=attempts + 1
                )
                lane = (self.deliveries[ended].channel, self.deliveries[ended].lane)
                self.refusals.pop(lane, None)
            case Again(at=at, counts=counts, reason=reason):
                tried = attempts + (counts and settlement.attempt is not None)
                self._change(
                    ended, state="waiting", due_at=at, reason=reason, attempts=tried, handouts=0
                )
            case Hold(until=until, reason=reason, scope=scope):
                self._change(ended, state="waiting", reason=reason, handouts=0)
                lane = (self.deliveries[ended].channel, self.deliveries[ended].lane)
                self.lanes[lane] = max(until, self.lanes.get(lane, until))
                self.refusals[lane] += settlement.attempt is not None
                if settlement.attempt is not None and scope == "channel":
                    self._hold(lane[0], "suspended", until)
                    for refused in [each for each in self.refusals if each[0] == lane[0]]:
                        self.lanes[refused] = min(until, self.lanes.get(refused, until))
            case Dead(reason=reason):
                self._change(ended, state="dead", reason=reason)
            case Expired(reason=reason) | Cancelled(reason=reason) | Suppressed(reason=reason):
                state = settlement.next.__struct_config__.tag
                self._change(ended, state=state, reason=reason)

    def _hold(self, channel: str, cause: Cause, until: float, host: str = "") -> None:
        key = (channel, cause, host)
        self.causes[key] = max(until, self.causes.get(key, until))

    def _change(self, delivery: str, **changes: object) -> None:
        self.deliveries[delivery] = replace(self.deliveries[delivery], **changes)
