"""The gate of a channel: how many sends at once, how many per time, and causes to hold."""

import time
from collections.abc import Callable, Mapping

from router.channel import Settings
from router.queue.ports import Cause, Room

_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DUST = 1e-6
"""What floating point may lose of a token."""
_SOON = 1.0
"""Seconds ahead that deliveries are taken for, where a rate makes them wait."""


def parse_rate(rate: str) -> tuple[int, float] | None:
    """Return how many sends in how many seconds `10/s`, `100/m` or `1000/h` allows."""
    count, _, unit = rate.partition("/")
    return (int(count), _PERIODS[unit]) if rate else None


def kept_for_urgent(slots: int) -> int:
    """Return how many of the slots only urgent deliveries may take: a quarter, of two one."""
    return max(1, slots // 4) if slots > 1 else 0


class Bucket:
    """A token bucket that never gives more than `count` tokens in any `seconds`.

    A tenth of them may go at once after a rest; the filling is slowed by as much, so that such
    a burst and what follows it stay within the count.
    """

    def __init__(self, count: int, seconds: float, *, now: float) -> None:
        self._burst = max(1, count // 10)
        self._per_second = (count - self._burst + 1) / seconds
        self._tokens = float(self._burst)
        self._filled_at = now

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token; 0 when there is one."""
        self._fill(now)
        missing = 1.0 - self._tokens
        return missing / self._per_second if missing > _DUST else 0.0

    def soon(self, now: float) -> int:
        """Return how many tokens there are within a second."""
        self._fill(now)
        return int(self._tokens + _SOON * self._per_second + _DUST)

    def take(self, now: float) -> None:
        """Take one token, which must be there."""
        self._fill(now)
        self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._filled_at)  # a clock set back fills nothing
        self._filled_at = now
        self._tokens = min(self._burst, self._tokens + passed * self._per_second)


class Gate:
    """Whether a channel may send now; times are epoch seconds.

    A quarter of its slots is kept for urgent deliveries. Every cause to hold it has an end and
    the latest counts. After a suspension one delivery goes ahead as a probe, and the others
    follow when the provider has taken it or refused it for its own sake.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.in_flight = 0
        self.probing = False
        self._ordinary = 0
        self._clock = clock
        self._settings: Settings | None = None
        self._slots = 1
        self._bucket: Bucket | None = None
        self._causes: dict[Cause, float] = {}

    def adapt(self, settings: Settings) -> None:
        """Take the channel's settings over; sends in flight keep their slots."""
        if settings is self._settings:
            return
        rate = parse_rate(settings.rate)
        if self._settings is None or settings.rate != self._settings.rate:
            self._bucket = Bucket(*rate, now=self._clock()) if rate else None
        self._slots = settings.concurrency
        self._settings = settings

    @property
    def slots(self) -> int:
        """How many sends it lets through at once."""
        return 1 if self.probing else self._slots

    def admits(self, *, urgent: bool) -> bool:
        """Return whether one more delivery may be sent now."""
        if self.in_flight >= self.slots or self.held() or self.wait() > 0:
            return False
        if urgent or self.probing:
            return True
        return self._ordinary < self._slots - kept_for_urgent(self._slots)

    def room(self, *, waiting: int, ordinary: int, share: int) -> Room:
        """Return how many more deliveries can be sent now, when so many wait for it already.

        What is leased and not sent would count as handed out if the process died, so no more
        is taken than can go at once, or within a second where a rate spreads it. `share` is the
        most that may be in memory.
        """
        if self.held():
            return Room(slots=0, ordinary=0)
        most = min(self.slots, share)
        slots = most - self.in_flight - waiting
        if self._bucket:
            slots = min(slots, self._bucket.soon(self._clock()) - waiting)
        left = most - kept_for_urgent(most) - self._ordinary - ordinary
        return Room(slots=max(0, slots), ordinary=max(0, min(slots, left)))

    def wait(self) -> float:
        """Return the seconds until the rate allows another send."""
        return self._bucket.wait(self._clock()) if self._bucket else 0.0

    def enter(self, *, urgent: bool) -> None:
        """Take a slot for a send that was admitted."""
        if self._bucket:
            self._bucket.take(self._clock())
        self.in_flight += 1
        self._ordinary += not urgent

    def leave(self, *, urgent: bool) -> None:
        """Give the slot of a finished send back."""
        self.in_flight -= 1
        self._ordinary -= not urgent

    def held(self) -> bool:
        """Return whether a cause holds it now."""
        if not self._causes:
            return False
        now = self._clock()
        return any(until > now for until in self._causes.values())

    def hold(self, cause: Cause, until: float) -> None:
        """Hold it for a cause, at least until a time."""
        self._causes[cause] = max(until, self._causes.get(cause, until))
        self.probing = self.probing or cause == "suspended"

    def hold_only(self, causes: Mapping[Cause, float]) -> None:
        """Hold it for these causes and no others; a suspension ended early needs no probe."""
        lifted = self._causes.get("suspended", 0.0) > self._clock() and "suspended" not in causes
        self._causes = dict(causes)
        self.probing = "suspended" in causes or (self.probing and not lifted)

    def answered(self) -> None:
        """Note that the provider takes messages: the probe, if there was one, went well."""
        self.probing = False
