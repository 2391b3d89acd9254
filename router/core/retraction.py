"""What an edit or a deletion does to the deliveries of its message that still wait."""

from collections.abc import Iterator, Sequence

from router.core.delivery import Delivery
from router.core.facts import Ending, Facts, Waiting
from router.core.notification import Notification
from router.core.planned import Planned
from router.core.ruleset import Ruleset, Step


def leave_waiting(each: Planned | Delivery, notification: Notification) -> Waiting:
    """Return a delivery that waits as a later edit or deletion finds it, under its `about`."""
    return Waiting(
        id=each.id,
        app_id=notification.app_id,
        uid=notification.uid,
        rule=each.rule,
        step=each.step,
        channel=each.channel,
        contact=each.contact,
        address=each.address,
        due_at=each.due_at,
        expires_at=each.expires_at,
    )


def is_change(notification: Notification) -> bool:
    """Return whether it changes a message, and is none itself."""
    return notification.kind in {"edit", "delete"}


def withdraw(
    notification: Notification, subject: str, ruleset: Ruleset, facts: Facts
) -> Sequence[tuple[Waiting, Ending]]:
    """Return what a deletion cancels, whatever the rules make of the deletion itself.

    That is all that waits for the recipient, or for all at once, unless its step says
    `retract: false`.
    """
    if notification.kind != "delete":
        return ()
    return [
        (waiting, Ending(delivery=waiting.id, state="cancelled", reason="deleted"))
        for waiting in facts.waiting.get(subject, {}).values()
        if _concerns(waiting, notification, _find_step(waiting, ruleset))
    ]


def find_place(planned: Planned, waiting: Sequence[Waiting]) -> Waiting | None:
    """Return what stands where a delivery would, among what waits.

    That is the one of the same step, or one that another rule left.
    """
    there = [
        each
        for each in waiting
        if (each.channel, each.contact) == (planned.channel, planned.contact)
        and (each.contact or each.address == planned.address)
    ]
    same = (each for each in there if (each.rule, each.step) == (planned.rule, planned.step))
    others = (each for each in there if each.rule != planned.rule)
    return next(same, None) or next(others, None)


def find_waiting(
    notification: Notification,
    subject: str,
    facts: Facts,
    is_shared: bool,  # noqa: FBT001 - it is computed, never written out
) -> Sequence[Waiting]:
    """Return what waits of the message; with `is_shared` what speaks for all recipients too."""
    return [
        each
        for each in facts.waiting.get(subject, {}).values()
        if _is_of(each, notification) or (is_shared and not each.contact)
    ]


def _concerns(waiting: Waiting, notification: Notification, step: Step | None) -> bool:
    if step is not None and not step.retract:
        return False
    is_shared = step is not None and step.once_per is not None and not waiting.contact
    return is_shared or _is_of(waiting, notification)


def _is_of(waiting: Waiting, notification: Notification) -> bool:
    return (waiting.app_id, waiting.uid) == (notification.app_id, notification.uid)


def _find_step(waiting: Waiting, ruleset: Ruleset) -> Step | None:
    """Return the step that a delivery came from, None where the rules no longer have it."""
    found: Iterator[Step] = (
        step
        for rule in ruleset.rules
        if rule.name == waiting.rule
        for step in rule.send[waiting.step : waiting.step + 1]
    )
    return next(found, None)
