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
    """The delivery waits until `at` (epoch seconds); the attempt counts."""

    at: float


class Hold(Struct, frozen=True, tag="hold"):
    """The channel is suspended until `until`; the delivery waits, the attempt does not count."""

    until: float
    reason: str


class Dead(Struct, frozen=True, tag="dead"):
    """The delivery is a dead letter."""

    reason: str
    forget_contact: bool = False


class Expired(Struct, frozen=True, tag="expired"):
    """The next attempt would come after the delivery is worth sending."""

    reason: str


class Cancelled(Struct, frozen=True, tag="cancelled"):
    """There is nobody left to send it to, or no use in sending it."""

    reason: str


Next = Done | Again | Hold | Dead | Expired | Cancelled


def follow(  # noqa: PLR0913 - one attempt is what it is: each argument is a fact of it
    outcome: Outcome,
    *,
    attempts: int,
    idempotent: bool,
    now: float,
    expires_at: float,
    dice: float,
) -> Next:
    """Return what happens to a delivery after an attempt.

    `attempts` counts the attempts made, this one included; `idempotent` says whether the
    provider collapses repeats; `dice` is a number in [0, 1) that spreads the retries.
    """
    match outcome:
        case Delivered(handle=handle):
            return Done(handle)
        case Rejected(reason=reason, forget_contact=forget):
            return Dead(reason, forget)
        case Suspend(reason=reason, after=after):
            return Hold(now + (SUSPENSION if after is None else after), reason)
        case Unknown() if not idempotent:
            return Dead("may_have_arrived")
        case Unknown():
            return _again(None, attempts, now, expires_at, dice)
        case Retry(after=after):
            return _again(after, attempts, now, expires_at, dice)
        case _ as never:  # pragma: no cover - the type checker proves it empty
            assert_never(never)


def _again(
    after: float | None, attempts: int, now: float, expires_at: float, dice: float
) -> Again | Dead | Expired:
    if attempts > len(DELAYS):
        return Dead("attempts_exhausted")
    at = now + max(after or 0.0, dice * DELAYS[attempts - 1])
    if at >= expires_at:
        return Expired("no attempt left before it expires")
    return Again(at)
