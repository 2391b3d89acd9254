"""What an edit, a deletion or a call's end finds of its message: what waits, and what was shown."""

from collections.abc import Callable, Collection, Iterator, Sequence

from router.core.decide.planned import PlannedDelivery
from router.core.decide.targets import is_wanted
from router.core.decide.timing import RING_S
from router.core.model.call import record_call_event
from router.core.model.delivery import Delivery
from router.core.model.delivery_record import copied_fields
from router.core.model.facts import Cancellation, DecisionState, DeliveryProgress, PriorDelivery
from router.core.model.notification import DAY_S, Notification, is_change
from router.core.rules.ruleset import ChannelSpec, Ruleset, Step

Place = tuple[str, str]
"""A channel, and the contact it goes to; the address, where that is fixed."""

DECISION_MARGIN_S = 5.0
"""Seconds within which what waits may go out while something is decided."""


def to_prior_delivery(
    delivery: PlannedDelivery | Delivery,
    notification: Notification,
    state: DeliveryProgress,
    *,
    named: bool = False,
) -> PriorDelivery:
    """Return a delivery in the form in which a later change of its message finds it."""
    fields = copied_fields(delivery, PriorDelivery) | {"state": state}
    return PriorDelivery(app_id=notification.app_id, uid=notification.uid, named=named, **fields)


def changes_something(notification: Notification) -> bool:
    """Return whether it may change, take back or end what was sent before."""
    return is_change(notification) or bool(record_call_event(notification))


def withdraw(
    notification: Notification, subject: str, ruleset: Ruleset, facts: DecisionState
) -> Sequence[tuple[PriorDelivery, Cancellation]]:
    """Return what a deletion cancels, whatever the rules make of the deletion itself.

    That is all that waits for the recipient, or for all at once, unless its step says
    `retract: false`.
    """
    if notification.kind != "delete":
        return ()
    find_step = _step_finder(ruleset)
    return [
        (waiting, Cancellation(delivery=waiting.id, state="cancelled", reason="deleted"))
        for waiting in facts.earlier.get(subject, {}).values()
        if is_unsent(waiting)
        if _concerns(waiting, notification, find_step(waiting))
    ]


def plan_retractions(
    notification: Notification, subject: str, ruleset: Ruleset, facts: DecisionState, now: float
) -> list[PriorDelivery]:
    """Return what was shown and is to be taken back, whatever the rules make of the notification.

    Of a deletion that is its message, unless the step that showed it says `retract: false`. Of a
    call's end it is what rings, or may in a moment.
    """
    priors = facts.earlier.get(subject, {}).values()
    find_step = _step_finder(ruleset)
    if notification.kind == "delete":
        steps = ((prior, find_step(prior)) for prior in find_shown(priors))
        return [prior for prior, step in steps if _concerns(prior, notification, step)]
    whose = {event.uid for event in record_call_event(notification)}
    return [
        prior
        for prior in priors
        if prior.urgent and ("" in whose or prior.uid in whose)
        if prior.due_at <= now + DECISION_MARGIN_S and now < prior.expires_at + RING_S
        if (step := find_step(prior)) is None or step.retract
    ]


def already_notified(priors: Collection[PriorDelivery], now: float) -> set[Place]:
    """Return where something has been sent since it rang: the device knows that it is over."""
    return {place_of(prior) for prior in priors if not prior.urgent and prior.due_at <= now}


def retraction_targets(
    prior: PriorDelivery, channel: ChannelSpec, notification: Notification, facts: DecisionState
) -> list[tuple[str, str]]:
    """Return the contacts, with their addresses, by which to take back what a delivery has shown.

    That is its own. Where the channel wants that not to hear of it, as a token for nothing but
    rings, it is the other ones of the same device. Who is gone needs nothing.
    """
    owner = facts.recipient(prior.app_id, prior.uid)
    if owner.is_guarded:
        return []
    if not prior.contact:
        return [("", prior.address)]
    contacts = owner.contacts
    own = next((contact for contact in contacts if contact.id == prior.contact), None)
    if own is None:
        return []
    if is_wanted(own, channel, notification):
        return [(own.id, own.address)]
    return [
        (other.id, other.address)
        for other in contacts
        if other.kind == own.kind and own.session and other.session == own.session
        if is_wanted(other, channel, notification)
    ]


def is_within_reach(prior: PriorDelivery, channel: ChannelSpec) -> bool:
    """Return whether what was shown can be taken back by its channel, or may yet turn out unsent.

    Without a rule that says so, a destination that is fixed in the channel is told nothing, and
    of a call that rang only what replaces it.
    """
    if channel.replaces and prior.address:
        return True
    return not prior.urgent and (
        (channel.retracts and prior.named) or (prior.state == "sending" and not channel.replaces)
    )


def make_retraction(
    prior: PriorDelivery, notification: Notification, about: str, now: float
) -> PlannedDelivery:
    """Return the delivery that takes another one back, though no rule sends it, less its id."""
    is_call = notification.kind == "call"
    fields = copied_fields(prior, PlannedDelivery) | {
        "id": "",
        "state": "waiting",
        "reason": "",
        "due_at": now,
        "expires_at": max(prior.expires_at, now) + RING_S if is_call else now + DAY_S,
        "urgent": False,
        "follows": True,
        "priority": "high" if is_call else "normal",
        "about": about,
        "operation": "retract",
        "original": prior.id,
    }
    return PlannedDelivery(**fields)


def is_unsent(prior: PriorDelivery) -> bool:
    """Return whether it waits, with something to be shown."""
    return prior.state == "waiting" and prior.operation != "retract"


def find_shown(priors: Collection[PriorDelivery]) -> list[PriorDelivery]:
    """Return what was shown, or is about to be, and has not been taken back."""
    gone = {prior.original for prior in priors if prior.operation == "retract"}
    return [
        prior
        for prior in priors
        if prior.state != "waiting" and prior.operation == "send" and prior.id not in gone
    ]


def find_place(planned: PlannedDelivery, earlier: Sequence[PriorDelivery]) -> PriorDelivery | None:
    """Return what stands where a delivery would, among what came earlier.

    That is the one of the same step, or one that another rule left.
    """
    there = [
        prior
        for prior in earlier
        if (prior.channel, prior.contact) == (planned.channel, planned.contact)
        and (prior.contact or prior.address == planned.address)
    ]
    same = (prior for prior in there if (prior.rule, prior.step) == (planned.rule, planned.step))
    others = (prior for prior in there if prior.rule != planned.rule)
    return next(same, None) or next(others, None)


def find_own(
    notification: Notification,
    subject: str,
    facts: DecisionState,
    is_shared: bool,  # noqa: FBT001 - it is computed, never written out
) -> list[PriorDelivery]:
    """Return what there is of the message; with `is_shared` what speaks for all recipients too."""
    return [
        prior
        for prior in facts.earlier.get(subject, {}).values()
        if _is_of(prior, notification) or (is_shared and not prior.contact)
    ]


def place_of(delivery: PriorDelivery | PlannedDelivery) -> Place:
    """Return where a delivery goes."""
    return delivery.channel, delivery.contact or delivery.address


def _concerns(prior: PriorDelivery, notification: Notification, step: Step | None) -> bool:
    if step is not None and not step.retract:
        return False
    is_shared = step is not None and step.once_per is not None and not prior.contact
    return is_shared or _is_of(prior, notification)


def _is_of(prior: PriorDelivery, notification: Notification) -> bool:
    return (prior.app_id, prior.uid) == (notification.app_id, notification.uid)


def _step_finder(ruleset: Ruleset) -> Callable[[PriorDelivery], Step | None]:
    """Return what finds the step that a delivery came from, None where the rules lost it."""
    steps: dict[tuple[str, int], Step | None] = {}

    def find(prior: PriorDelivery) -> Step | None:
        place = prior.rule, prior.step
        if place not in steps:
            steps[place] = _find_step(*place, ruleset)
        return steps[place]

    return find


def _find_step(name: str, ordinal: int, ruleset: Ruleset) -> Step | None:
    steps: Iterator[Step] = (
        step
        for rule in ruleset.rules
        if rule.name == name
        for step in rule.send[ordinal : ordinal + 1]
    )
    return next(steps, None)
