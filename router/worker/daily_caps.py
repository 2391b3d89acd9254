"""Daily caps in this process: how many sends of today are left for each channel and app."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import structlog

from router.core.model.daily_cap import Cap, day_of, end_of
from router.core.model.outcome import Delivered, Outcome, Unknown
from router.queue.ports import DailyCount, Queue, Settlement
from router.telemetry import Metrics

NEXT_LOOK_S = 2.0
"""Seconds until a delivery is looked at again that only sends in flight keep from going."""

NO_CAP = float("inf")

Limit = Callable[[str], int]
"""Returns the daily cap of a channel or an app by its name, 0 without one."""

_Key = tuple[str, str]

_log = structlog.get_logger(__name__)


class DailyCaps:
    """Knows what the caps of today leave; sends in flight count, so that none is exceeded here.

    The counts are in the database, written with the outcomes. Other processes write theirs too:
    all of them together can exceed a cap by what the others have in flight and what they settled
    since the last `pull_counts`.
    """

    def __init__(
        self,
        queue: Queue,
        metrics: Metrics,
        *,
        channel_cap: Limit,
        app_cap: Limit,
        clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._limits: dict[str, Limit] = {"channel": channel_cap, "app": app_cap}
        self._clock = clock
        self._counts: dict[_Key, DailyCount] = {}
        self._in_flight: Counter[_Key] = Counter()
        self._unread: Counter[_Key] = Counter()
        """Sends that counted, and are not in `_counts` yet."""
        self._written: Counter[_Key] = Counter()
        """Those of them that are in the database."""
        self._reported: set[_Key] = set()

    def left(self, channel: str) -> float:
        """Return how many sends a channel may still begin today."""
        return self._left(Cap("channel", channel, self._limits["channel"](channel)))

    def find_wait(self, app_id: str) -> float:
        """Return until when the deliveries of an app wait (epoch seconds), 0 where they need not.

        That is the next day where the cap is reached, and soon where sends in flight may reach it.
        """
        if self._left(Cap("app", app_id, self._limits["app"](app_id))) > 0:
            return 0.0
        count = self._counts.get(("app", app_id))
        now = self._clock()
        return end_of(day_of(now)) if count and count.is_reached else now + NEXT_LOOK_S

    def begin(self, channel: str, app_id: str) -> tuple[Cap, ...]:
        """Return the caps that a send counts against, if its provider takes it."""
        caps = (
            Cap("channel", channel, self._limits["channel"](channel)),
            Cap("app", app_id, self._limits["app"](app_id)),
        )
        capped = tuple(cap for cap in caps if cap.limit)
        self._in_flight.update(map(_key, capped))
        return capped

    def end(self, caps: Iterable[Cap], *, is_counted: bool) -> None:
        """Note that a send is over, and whether it counts."""
        for key in map(_key, caps):
            self._in_flight[key] -= 1
            self._unread[key] += is_counted

    def written(self, settlements: Iterable[Settlement]) -> None:
        """Note that outcomes are in the database, with what counts of them."""
        self._written.update(_key(cap) for settlement in settlements for cap in settlement.caps)

    async def pull_counts(self) -> Sequence[str]:
        """Read today's counts; return the channels that have a cap.

        A cap that the rules have changed is replaced.
        """
        written = self._written.copy()
        now = self._clock()
        counts = await self._queue.daily_counts(now=now)
        self._unread -= written  # what is written meanwhile counts twice until the next time
        self._written -= written
        self._counts = {}
        for count in counts:
            cap = count.cap
            limit = self._limits[cap.scope](cap.name)
            if limit != cap.limit:
                cap = Cap(cap.scope, cap.name, limit)
                await self._queue.set_cap(cap, now=now)
            self._counts[_key(cap)] = DailyCount(cap=cap, count=count.count, lifted=count.lifted)
        self._report(end_of(day_of(now)))
        return [name for scope, name in self._counts if scope == "channel"]

    def _left(self, cap: Cap) -> float:
        if not cap.limit:
            return NO_CAP
        key = _key(cap)
        count = self._counts.get(key)
        if count is not None and count.lifted:
            return NO_CAP
        used = (count.count if count else 0) + self._unread[key] + self._in_flight[key]
        return cap.limit - used

    def _report(self, until: float) -> None:
        """Log each cap once when it is reached, and show which apps have reached theirs."""
        reached = {key: count for key, count in self._counts.items() if count.is_reached}
        for (scope, name), count in reached.items():
            if (scope, name) not in self._reported:
                end = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
                limit = count.cap.limit
                if scope == "channel":
                    _log.warning("channel daily cap reached", channel=name, cap=limit, until=end)
                else:
                    _log.warning("app daily cap reached", app=name, cap=limit, until=end)
        for scope, name in self._reported ^ reached.keys():
            if scope == "app":
                self._metrics.capped(name, is_capped=(scope, name) in reached)
        self._reported = set(reached)


def is_counted(outcome: Outcome | None) -> bool:
    """Return whether a send counts: its provider has the message, or may have it."""
    return isinstance(outcome, Delivered | Unknown)


def _key(cap: Cap) -> _Key:
    return cap.scope, cap.name
