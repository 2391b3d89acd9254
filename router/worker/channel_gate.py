"""The gate of a channel: how many sends at once, how many per time, and causes to hold."""

import time
from collections.abc import Callable, Mapping

from router.channel import Settings
from router.core.model.outcome import Outcome, Scope
from router.core.model.refusals import (
    SERVING,
    UNTRIED,
    RefusalStreak,
    add_gone,
    add_refusal,
    hold_time,
)
from router.core.model.retry import asked_wait
from router.queue.ports import Capacity, Cause
from router.worker.circuit_breaker import (
    CLOSED,
    CircuitBreaker,
    assess_health,
    open_breaker,
    update_breaker,
)

_PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_TOKEN_EPSILON = 1e-6
"""What floating point may lose of a token."""
_LOOKAHEAD_S = 1.0
"""Seconds ahead that deliveries are taken for, where a rate makes them wait."""
_PROBE_RECHECK_S = 2.0
"""Seconds until a delivery is looked at again that met a host while it was being probed."""
_WHOLE_CHANNEL = ""
"""The host that stands for the channel as a whole."""
_TRIPPING_CAUSES: tuple[Cause, ...] = ("suspended", "open")
"""The causes that end with a probe."""


def parse_rate(rate: str) -> tuple[int, float] | None:
    """Return how many sends in how many seconds `10/s`, `100/m` or `1000/h` allows."""
    count, _, unit = rate.partition("/")
    return (int(count), _PERIODS_S[unit]) if rate else None


def reserved_for_urgent(slots: int) -> int:
    """Return how many of the slots only urgent deliveries may take: a quarter, of two one."""
    return max(1, slots // 4) if slots > 1 else 0


class TokenBucket:
    """A token bucket that never gives more than `count` tokens in any `seconds`.

    A tenth of them may go at once after a rest; the filling is slowed by as much, so that such
    a burst and what follows it stay within the count.
    """

    def __init__(self, count: int, seconds: float, *, now: float) -> None:
        self._burst_size = max(1, count // 10)
        self._per_second = (count - self._burst_size + 1) / seconds
        self._tokens = float(self._burst_size)
        self._refilled_at = now

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token; 0 when there is one."""
        self._refill(now)
        missing = 1.0 - self._tokens
        return missing / self._per_second if missing > _TOKEN_EPSILON else 0.0

    def tokens_soon(self, now: float) -> int:
        """Return how many tokens there are within a second."""
        self._refill(now)
        return int(self._tokens + _LOOKAHEAD_S * self._per_second + _TOKEN_EPSILON)

    def take(self, now: float) -> None:
        """Take one token, which must be there."""
        self._refill(now)
        self._tokens -= 1.0

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._refilled_at)  # a clock set back fills nothing
        self._refilled_at = now
        self._tokens = min(self._burst_size, self._tokens + passed * self._per_second)


class ChannelGate:
    """Whether a channel may send now; times are epoch seconds.

    A quarter of its slots is kept for urgent deliveries. Every cause to hold it has an end and
    the latest counts. After a suspension, or when failures in a row have opened the breaker, one
    delivery goes ahead as a probe, an ordinary one if one waits, and the others follow when the
    provider has taken it or refused it for its own sake. Hosts that recipients' addresses lead
    to have breakers of their own.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.in_flight = 0
        self._non_urgent_in_flight = 0
        self._clock = clock
        self._settings: Settings | None = None
        self._slots = 1
        self._bucket: TokenBucket | None = None
        self._causes: dict[Cause, float] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._probes: set[str] = set()
        self._refused: RefusalStreak = UNTRIED
        self._is_suspended = False

    def apply_settings(self, settings: Settings) -> None:
        """Take the channel's settings over; sends in flight keep their slots."""
        if settings is self._settings:
            return
        rate = parse_rate(settings.rate)
        if self._settings is None or settings.rate != self._settings.rate:
            self._bucket = TokenBucket(*rate, now=self._clock()) if rate else None
        self._slots = settings.concurrency
        self._settings = settings

    @property
    def is_probing(self) -> bool:
        """Whether its next send shows if the provider is well again."""
        return self._breakers.get(_WHOLE_CHANNEL, CLOSED).trips > 0

    @property
    def is_suspended(self) -> bool:
        """Whether it was suspended, and its provider has served nobody since."""
        return self._is_suspended and self.is_probing

    @property
    def slots(self) -> int:
        """How many sends it lets through at once."""
        whole = self._breakers.get(_WHOLE_CHANNEL)
        return self._slots if whole is None else whole.slots(self._slots, self._clock())

    def can_send(self, *, urgent: bool) -> bool:
        """Return whether one more delivery may be sent now."""
        if self.in_flight >= self.slots or self.is_held() or self.wait() > 0:
            return False
        if urgent or self.is_probing:
            return True
        return self._non_urgent_in_flight < self._slots - reserved_for_urgent(self._slots)

    def free_capacity(self, *, waiting: int, non_urgent: int, share: int) -> Capacity:
        """Return how many more deliveries can be sent now, when so many wait for it already.

        What is leased and not sent would count as handed out if the process died, so no more
        is taken than can go at once, or within a second where a rate spreads it. `share` is the
        most that may be in memory.
        """
        if self.is_held():
            return Capacity(slots=0, non_urgent=0)
        most = min(self.slots, share)
        slots = most - self.in_flight - waiting
        if self._bucket:
            slots = min(slots, self._bucket.tokens_soon(self._clock()) - waiting)
        left = most - reserved_for_urgent(most) - self._non_urgent_in_flight - non_urgent
        return Capacity(
            slots=max(0, slots), non_urgent=max(0, min(slots, left)), probes=self.is_probing
        )

    def wait(self) -> float:
        """Return the seconds until the rate allows another send."""
        return self._bucket.wait(self._clock()) if self._bucket else 0.0

    def host_wait_s(self, host: str) -> float:
        """Return for how many seconds nothing may go to a host; 0 when it may."""
        breaker = self._breakers.get(host)
        if breaker is None or host == _WHOLE_CHANNEL or not breaker.trips:
            return 0.0
        seconds = breaker.until - self._clock()
        return seconds if seconds > 0 else _PROBE_RECHECK_S * (host in self._probes)

    def acquire(self, *, urgent: bool, host: str = "") -> str:
        """Take a slot for a send that was admitted; return the host that it probes, if it does."""
        if self._bucket:
            self._bucket.take(self._clock())
        self.in_flight += 1
        self._non_urgent_in_flight += not urgent
        if host == _WHOLE_CHANNEL or not self._breakers.get(host, CLOSED).trips:
            return ""
        self._probes.add(host)
        return host

    def release(self, *, urgent: bool, probed: str = "") -> None:
        """Give the slot of a finished send back."""
        self.in_flight -= 1
        self._non_urgent_in_flight -= not urgent
        self._probes.discard(probed)

    def is_held(self) -> bool:
        """Return whether a cause holds it now."""
        if not self._causes:
            return False
        now = self._clock()
        return any(until > now for until in self._causes.values())

    def hold(self, cause: Cause, until: float) -> None:
        """Hold it for a cause, at least until a time."""
        self._causes[cause] = max(until, self._causes.get(cause, until))
        if cause in _TRIPPING_CAUSES:
            self._trip(_WHOLE_CHANNEL, until)
        self._is_suspended |= cause == "suspended"

    def replace_holds(self, causes: Mapping[Cause, float], hosts: Mapping[str, float]) -> None:
        """Hold it for these causes and no others, and these hosts; what ended early is forgotten.

        A suspension or an opening that somebody ended early needs no probe.
        """
        now = self._clock()
        ended = (c for c in _TRIPPING_CAUSES if self._causes.get(c, 0.0) > now and c not in causes)
        if any(ended):
            self._close_breaker()
            self._refused = UNTRIED
        self._causes = dict(causes)
        for cause in _TRIPPING_CAUSES:
            if cause in causes:
                self.hold(cause, causes[cause])
        for host, breaker in list(self._breakers.items()):
            if host != _WHOLE_CHANNEL and breaker.until > now and host not in hosts:
                del self._breakers[host]
        for host, until in hosts.items():
            self._trip(host, until)

    def reset(self) -> None:
        """Forget what its own trouble was; an operator's pause stays."""
        self._breakers.clear()
        self._close_breaker()
        self._refused = UNTRIED
        self._causes = {c: until for c, until in self._causes.items() if c not in _TRIPPING_CAUSES}

    def attribute_refusal(self, recipient: str, host: str, *, refusals: int) -> tuple[Scope, float]:
        """Return whom a refusal is about, and for how many seconds the recipient is held.

        No `recipient` stands for a destination of the operator's own: then it is the channel. A
        recipient's own `host` says nothing of the others. `refusals` is how many the recipient
        had before.
        """
        if not recipient:
            return "channel", 0.0
        if not host:
            self._refused = add_refusal(self._refused, recipient, refusals=refusals)
        is_channel = not host and self._refused.is_channel
        seconds = hold_time(refusals, serves=self._refused.serves)
        return "channel" if is_channel else "recipient", seconds

    def believes_gone(self, recipient: str, host: str) -> bool:
        """Return whether an address that its provider calls dead is to be forgotten.

        It is not where one recipient after the other is gone and nobody is served: then the
        settings are wrong. A recipient's own `host` speaks for that recipient.
        """
        if host:
            return True
        streak = add_gone(self._refused, recipient)
        self._refused = streak or self._refused
        return streak is not None

    def record_success(self, host: str) -> bool:
        """Take note that a provider serves somebody; return whether a suspension is to be lifted.

        It is where the channel was blamed for the refusals of several recipients.
        """
        if host:
            return False
        was_blamed, self._refused = self._refused.is_channel, SERVING
        return was_blamed and self._causes.get("suspended", 0.0) > self._clock()

    def end_suspension(self) -> None:
        """End its suspension, which it did not deserve."""
        self._causes.pop("suspended", None)
        if not self.is_held():
            self._close_breaker()

    def _close_breaker(self) -> None:
        self._breakers.pop(_WHOLE_CHANNEL, None)
        self._is_suspended = False

    def record_outcome(
        self, outcome: Outcome, host: str, *, began: float, dice: float
    ) -> float | None:
        """Take what a send came to; return until when its host is held, if that is new."""
        before = self._breakers.get(host, CLOSED)
        breaker = update_breaker(
            before,
            assess_health(outcome),
            began=began,
            now=self._clock(),
            after=asked_wait(outcome),
            dice=dice,
        )
        if breaker is before:
            return None
        if breaker == CLOSED:
            self._breakers.pop(host, None)
            self._is_suspended &= host != _WHOLE_CHANNEL
            return None
        self._breakers[host] = breaker
        if breaker.trips == before.trips:
            return None
        if host == _WHOLE_CHANNEL:
            self._causes["open"] = breaker.until
        return breaker.until

    def _trip(self, host: str, until: float) -> None:
        self._breakers[host] = open_breaker(self._breakers.get(host, CLOSED), until)
