"""What follows an outcome: done, again at a time, held, or dead."""

import math
from typing import assert_never

from msgspec import Struct

from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Scope, Suspend, Unknown

RETRY_DELAYS_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0)
"""Upper bounds in seconds of the wait before the second, third, … attempt (full jitter)."""

MIN_RETRY_S = 1.0
"""Seconds until the next attempt at least, whatever the dice and the provider say."""

MAX_RETRY_S = 86400.0
"""Seconds beyond which nobody's Retry-After is believed."""

THROTTLE_S = 60.0
"""Seconds until the next attempt at least where a provider asks for fewer and names no time.

Google asks for as much: https://firebase.google.com/docs/cloud-messaging/error-codes
"""

DEFAULT_SUSPENSION_S = 60.0
"""Seconds a suspended channel waits when the outcome names no time."""

MIN_SUSPENSION_S = 5.0
"""Seconds it waits at least: sooner, each probe would be one of a thousand."""

MAX_SUSPENSION_S = 3600.0
"""Seconds it waits at most."""

MAX_HANDOUTS = 3
"""A delivery handed out this often without an answer is dead: `crash_loop`."""


class Done(Struct, frozen=True, tag="done"):
    """The delivery is delivered."""

    handle: str = ""


class Again(Struct, frozen=True, tag="again"):
    """The delivery waits until `at` (epoch seconds); `counts` says whether the attempt does.

    `reason` says why it waits where no attempt does.
    """

    at: float
    counts: bool = True
    reason: str = ""


class Hold(Struct, frozen=True, tag="hold"):
    """It waits until `until`, and keeps its place in line; an attempt does not count.

    After an attempt that was refused the delivery's lane waits, and with `scope="channel"` the
    whole channel, suspended. Without an attempt the lane does.
    """

    until: float
    reason: str
    scope: Scope = "channel"


class Dead(Struct, frozen=True, tag="dead"):
    """The delivery is a dead letter; its contact may have been dead since an epoch second."""

    reason: str
    forget_contact: bool = False
    dead_since: float | None = None


class Expired(Struct, frozen=True, tag="expired"):
    """The next attempt would come after the delivery is worth sending."""

    reason: str


class Cancelled(Struct, frozen=True, tag="cancelled"):
    """There is nobody left to send it to, or no use in sending it."""

    reason: str


class Suppressed(Struct, frozen=True, tag="suppressed"):
    """It may not be sent to its recipient."""

    reason: str


NextStep = Done | Again | Hold | Dead | Expired | Cancelled | Suppressed

THROTTLED = 429
"""The status of an answer that asks for fewer requests (RFC 6585)."""


def is_throttled(outcome: Outcome) -> bool:
    """Return whether the provider asked for fewer requests."""
    return isinstance(outcome, Retry) and (outcome.throttled or outcome.status == THROTTLED)


def asked_wait(outcome: Outcome) -> float | None:
    """Return the seconds that an outcome asks the router to wait, None where it names no time.

    The number comes from outside, and from plugins without types: only one that is finite and
    above zero is a time, and none is longer than `MAX_RETRY_S`.
    """
    after: object = outcome.after if isinstance(outcome, Retry | Suspend) else None
    if isinstance(after, bool) or not isinstance(after, int | float) or not 0 < after < math.inf:
        return None
    return float(min(after, MAX_RETRY_S))


def counts(step: NextStep) -> bool:
    """Return whether the attempt that led to this is one of those a delivery has."""
    return not isinstance(step, Hold) and not (isinstance(step, Again) and not step.counts)


def next_step(  # noqa: PLR0913 - one attempt is what it is: each argument is a fact of it
    outcome: Outcome,
    *,
    attempts: int,
    idempotent: bool,
    now: float,
    expires_at: float,
    age: float,
    dice: float,
    hold: float = 0.0,
) -> NextStep:
    """Return what happens to a delivery after an attempt.

    `attempts` counts the attempts made, this one included; `idempotent` says whether the
    provider collapses repeats; `age` is how many seconds ago the notification was accepted;
    `dice` is a number in [0, 1) that spreads the retries. `hold` is for how many seconds a
    recipient that is refused is left alone.

    A provider that asks for fewer requests says nothing against the message: the attempt does
    not count, and the wait grows with the message's age instead.
    """
    match outcome:
        case Delivered(handle=handle):
            return Done(handle)
        case Rejected(status=status, reason=reason, forget_contact=forget, dead_since=since):
            return Dead(reason, forget and status is not None, since)
        case Suspend(reason=reason, scope=scope):
            wait = max(MIN_SUSPENSION_S, asked_wait(outcome) or DEFAULT_SUSPENSION_S)
            least = hold if scope == "recipient" else 0.0
            return Hold(now + max(least, min(wait, MAX_SUSPENSION_S)), reason, scope)
        case Unknown() if not idempotent:
            return Dead("may_have_arrived")
        case Retry() if is_throttled(outcome):
            grown = dice * min(max(age, RETRY_DELAYS_S[0]), RETRY_DELAYS_S[-1])
            wait = max(asked_wait(outcome) or THROTTLE_S, grown)
            return _at(now + max(MIN_RETRY_S, wait), expires_at, counts=False)
        case Retry() | Unknown():
            return _again(asked_wait(outcome), attempts, now, expires_at, dice)
        case _ as never:  # pragma: no cover - the type checker proves it empty
            assert_never(never)


def _again(
    after: float | None, attempts: int, now: float, expires_at: float, dice: float
) -> Again | Dead | Expired:
    if attempts > len(RETRY_DELAYS_S):
        return Dead("attempts_exhausted")
    wait = max(MIN_RETRY_S, after or 0.0, dice * RETRY_DELAYS_S[attempts - 1])
    return _at(now + wait, expires_at)


def _at(at: float, expires_at: float, *, counts: bool = True) -> Again | Expired:
    if at >= expires_at:
        return Expired("no attempt left before it expires")
    return Again(at, counts)
