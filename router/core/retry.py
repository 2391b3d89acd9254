"""What follows an outcome: done, again at a time, held, or dead."""

from typing import assert_never

from msgspec import Struct

from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown

DELAYS = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0)
"""Upper bounds in seconds of the wait before the second, third, … attempt (full jitter)."""

SUSPENSION = 60.0
"""Seconds a suspended channel waits when the outcome names no time."""

HANDOUTS = 3
"""A delivery handed out this often without an answer is dead: `crash_loop`."""


class Done(Struct, frozen=True, tag="done"):
    """The delivery is delivered."""

    handle: str = ""


class Again(Struct, frozen=True, tag="again"):
    """The delivery waits until `at` (epoch seconds); `counts` says whether the attempt does."""

    at: float
    counts: bool = True


class Hold(Struct, frozen=True, tag="hold"):
    """It waits until `until`, and keeps its place in line; an attempt does not count.

    After an attempt the whole channel waits, suspended; without one the delivery's lane does.
    """

    until: float
    reason: str


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


Next = Done | Again | Hold | Dead | Expired | Cancelled

THROTTLED = 429
"""The status of an answer that asks for fewer requests (RFC 6585)."""


def is_throttled(outcome: Outcome) -> bool:
    """Return whether the provider asked for fewer requests."""
    return isinstance(outcome, Retry) and outcome.status == THROTTLED


def counts(step: Next) -> bool:
    """Return whether the attempt that led to this is one of those a delivery has."""
    return not isinstance(step, Hold) and not (isinstance(step, Again) and not step.counts)


def follow(  # noqa: PLR0913 - one attempt is what it is: each argument is a fact of it
    outcome: Outcome,
    *,
    attempts: int,
    idempotent: bool,
    now: float,
    expires_at: float,
    age: float,
    dice: float,
) -> Next:
    """Return what happens to a delivery after an attempt.

    `attempts` counts the attempts made, this one included; `idempotent` says whether the
    provider collapses repeats; `age` is how many seconds ago the notification was accepted;
    `dice` is a number in [0, 1) that spreads the retries.

    A provider that asks for fewer requests says nothing against the message: the attempt does
    not count, and the wait grows with the message's age instead.
    """
    match outcome:
        case Delivered(handle=handle):
            return Done(handle)
        case Rejected(status=status, reason=reason, forget_contact=forget, dead_since=since):
            return Dead(reason, forget and status is not None, since)
        case Suspend(reason=reason, after=after):
            return Hold(now + (SUSPENSION if after is None else after), reason)
        case Unknown() if not idempotent:
            return Dead("may_have_arrived")
        case Retry(after=after) if is_throttled(outcome):
            wait = max(after or 0.0, dice * min(max(age, DELAYS[0]), DELAYS[-1]))
            return _at(now + wait, expires_at, counts=False)
        case Retry() | Unknown():
            after = outcome.after if isinstance(outcome, Retry) else None
            return _again(after, attempts, now, expires_at, dice)
        case _ as never:  # pragma: no cover - the type checker proves it empty
            assert_never(never)


def _again(
    after: float | None, attempts: int, now: float, expires_at: float, dice: float
) -> Again | Dead | Expired:
    if attempts > len(DELAYS):
        return Dead("attempts_exhausted")
    return _at(now + max(after or 0.0, dice * DELAYS[attempts - 1]), expires_at)


def _at(at: float, expires_at: float, *, counts: bool = True) -> Again | Expired:
    if at >= expires_at:
        return Expired("no attempt left before it expires")
    return Again(at, counts)
