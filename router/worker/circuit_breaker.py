"""When a provider is given a rest: after failures in a row, and for longer each time."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Unknown
from router.core.model.retry import is_throttled

MAX_FAILURES = 5
"""So many failures in a row open it."""

MAX_THROTTLES = 2
"""So many in a row do when the provider asks for fewer; one may be about its address alone."""

FIRST_OPEN_S = 5.0
"""Seconds of the first rest at most; each that follows a failed probe is twice as long."""

MAX_OPEN_S = 300.0
"""Seconds of any rest at most, unless the provider asks for more."""

MAX_RETRY_AFTER_S = 3600.0
"""Seconds of rest at most, whatever the provider asks for."""

ProviderHealth = Literal["well", "ill", "throttled", "unclear"]
"""What an outcome says of the provider, whatever it says of the message."""


class CircuitBreaker(Struct, frozen=True, kw_only=True):
    """How a provider has done lately; times are epoch seconds.

    Closed while there are no `trips`; open until `until`; then half-open, until a send that
    began after that went well (it closes) or failed (it opens again).
    """

    failures: int = 0
    trips: int = 0
    until: float = 0.0

    def slots(self, most: int, now: float) -> int:
        """Return how many sends may be out at once, of `most`."""
        if not self.trips:
            return most
        return 0 if now < self.until else min(1, most)


CLOSED = CircuitBreaker()


def open_breaker(breaker: CircuitBreaker, until: float) -> CircuitBreaker:
    """Return the breaker opened until a time, or longer if it already is."""
    return replace(breaker, trips=max(1, breaker.trips), until=max(until, breaker.until))


def assess_health(outcome: Outcome) -> ProviderHealth:
    """Return what an outcome says of the provider.

    A message that it refused for the message's own sake, with a status, shows that it is well.
    """
    match outcome:
        case Delivered():
            return "well"
        case Rejected(status=status):
            return "unclear" if status is None else "well"
        case Retry():
            return "throttled" if is_throttled(outcome) else "ill"
        case Unknown():
            return "ill"
        case _:
            return "unclear"


def update_breaker(  # noqa: PLR0913 - one send is what it is: each argument is a fact of it
    breaker: CircuitBreaker,
    health: ProviderHealth,
    *,
    began: float,
    now: float,
    after: float | None,
    dice: float,
) -> CircuitBreaker:
    """Return the breaker after a send that began at `began` and ended `now`.

    `after` is how many seconds the provider asks to be left alone, `dice` a number in [0, 1)
    that keeps many routers from coming back at the same moment. What was sent before it opened
    says nothing new.
    """
    if health == "unclear" or (breaker.trips and began < breaker.until):
        return breaker
    if health == "well":
        return breaker if breaker == CLOSED else CLOSED
    failures = breaker.failures + 1
    if not breaker.trips and failures < (MAX_THROTTLES if health == "throttled" else MAX_FAILURES):
        return replace(breaker, failures=failures)
    rest = _open_duration(breaker.trips, after, dice)
    return CircuitBreaker(failures=failures, trips=breaker.trips + 1, until=now + rest)


def _open_duration(trips: int, after: float | None, dice: float) -> float:
    """Return for how many seconds it opens: as asked at first, then for longer and longer."""
    backoff = min(MAX_OPEN_S, FIRST_OPEN_S * 2.0 ** min(trips, 16)) * (1 + dice) / 2
    if after is None:
        return backoff
    requested = min(after, MAX_RETRY_AFTER_S)
    return max(backoff, requested) if trips else requested
