"""When a step's message goes out, and until when it is worth sending."""

from typing import Literal

from msgspec import Struct

from router.core.condition import Subject
from router.core.notification import DAY, MINUTE, Notification, is_ring
from router.core.ruleset import Step

RING = 45.0
"""Seconds for which an incoming call rings."""

REACTION = 10 * MINUTE
"""Seconds for which a reaction is worth hearing of."""

TOO_OLD = "it was too old when it was planned"

PlannedState = Literal["waiting", "suppressed", "cancelled", "expired"]


class Timing(Struct, frozen=True, kw_only=True):
    """When a step's deliveries are due and expire (epoch seconds), and why they may not wait."""

    due_at: float
    expires_at: float
    state: PlannedState = "waiting"
    reason: str = ""


def schedule(step: Step, subject: Subject) -> Timing:
    """Return when a step's deliveries go out; they are expired when that comes too late."""
    notification, now = subject.notification, subject.now
    lasts = lifetime(notification) if step.expires is None else step.expires
    expires_at = notification.occurred_at + lasts
    if expires_at <= now:
        return Timing(due_at=now, expires_at=expires_at, state="expired", reason=TOO_OLD)
    return Timing(due_at=now, expires_at=expires_at)


def lifetime(notification: Notification) -> float:
    """Return for how many seconds after it happened a notification is worth sending."""
    if is_ring(notification):
        return RING
    return REACTION if notification.kind == "reaction" else DAY
