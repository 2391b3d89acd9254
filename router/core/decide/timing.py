"""When a step's message goes out, and until when it is worth sending."""

from typing import Literal

from msgspec import Struct

from router.core.conditions.condition import ConditionSubject
from router.core.model.notification import DAY_S, MINUTE_S, Notification, is_ring
from router.core.rules.ruleset import Step

RING_S = 45.0
"""Seconds for which an incoming call rings."""

REACTION_LIFETIME_S = 10 * MINUTE_S
"""Seconds for which a reaction is worth hearing of."""

TOO_OLD_REASON = "expired before it was planned"

PlannedState = Literal["waiting", "suppressed", "cancelled", "expired", "dead"]


class StepTiming(Struct, frozen=True, kw_only=True):
    """When a step's deliveries are due and expire (epoch seconds), and why they may not wait.

    `deferred_by` names the quiet hours whose end they wait for.
    """

    due_at: float
    expires_at: float
    state: PlannedState = "waiting"
    reason: str = ""
    deferred_by: str = ""


def schedule(step: Step, subject: ConditionSubject) -> StepTiming:
    """Return when a step's deliveries go out; they are expired when that comes too late.

    `after` counts from the acceptance, so that planning late makes nothing later. What lies in
    its quiet hours then goes at their end, but a ring does not: it would ring for nobody. A step
    that waits expires by the time at which it is due, if it was not too old before.
    """
    notification, now = subject.notification, subject.now
    lasts = lifetime(notification) if step.expires is None else step.expires
    after, due_at = step.after or 0.0, now
    if after:
        due_at = max(now, notification.accepted_at + after)
    expires_at = notification.occurred_at + lasts
    if expires_at + after <= now:
        return StepTiming(due_at=now, expires_at=expires_at, state="expired", reason=TOO_OLD_REASON)
    if step.quiet is not None and (end := subject.calendar.ends(step.quiet.hours, due_at)) > due_at:
        if step.quiet.mode == "drop" or is_ring(notification):
            reason = f"quiet: {step.quiet.hours}"
            return StepTiming(
                due_at=due_at, expires_at=due_at + lasts, state="suppressed", reason=reason
            )
        return StepTiming(due_at=end, expires_at=end + lasts, deferred_by=step.quiet.hours)
    return StepTiming(due_at=due_at, expires_at=due_at + lasts if after else expires_at)


def lifetime(notification: Notification) -> float:
    """Return for how many seconds after it happened a notification is worth sending."""
    if is_ring(notification):
        return RING_S
    return REACTION_LIFETIME_S if notification.kind == "reaction" else DAY_S
