"""What an edit, a deletion or a call's end finds of its message: what waits, and what was shown."""

from collections.abc import Callable, Collection, Iterator, Sequence

from router.core.decide.planned import Planned
from router.core.decide.targets import is_wanted
from router.core.decide.timing import RING
from router.core.model.call import hear
from router.core.model.delivery import Delivery
from router.core.model.facts import Earlier, Ending, Facts, Stage
from router.core.model.notification import DAY, Notification, is_change
from router.core.rules.ruleset import ChannelSpec, Ruleset, Step

Place = tuple[str, str]
"""A channel, and the contact it goes to; the address, where that is fixed."""

NEAR = 5.0
"""Seconds within which what waits may go out while something is decided."""


def leave(
    each: Planned | Delivery, notification: Notification, state: Stage, *, named: bool = False
) -> Earlier:
    """Return a delivery as what changes its message later finds it, under its `about`."""
    return Earlier(
        id=each.id,
        app_id=notification.app_id,
        uid=notification.uid,
        rule=each.rule,
        step=each.step,
        channel=each.channel,
        contact=each.contact,
        address=each.address,
        lane=each.lane,
        state=state,
        due_at=each.due_at,
        expires_at=each.expires_at,
        urgent=each.urgent,
        privacy=each.privacy,
        collapse=each.collapse,
        operation=each.operation,
        original=each.original,
        named=named,
    )


def changes_something(notification: Notification) -> bool:
    """Return whether it may change, take back or end what was sent before."""
    return is_change(notification) or bool(hear(notification))


def withdraw(
    notification: Notification, subject: str, ruleset: Ruleset, facts: Facts
) -> Sequence[tuple[Earlier, Ending]]:
    """Return what a deletion cancels, whatever the rules make of the deletion itself.

    That is all that waits for the recipient, or for all at once, unless its step says
    `retract: false`.
    """
    if notification.kind != "delete":
        return ()
    find_step = _step_finder(ruleset)
    return [
        (waiting, Ending(delivery=waiting.id, state="cancelled", reason="deleted"))
        for waiting in facts.earlier.get(subject, {}).values()
        if is_unsent(waiting)
        if _concerns(waiting, notification, find_step(waiting))
    ]


def take_back(
    notification: Notification, subject: str, ruleset: Ruleset, facts: Facts, now: float
) -> list[Earlier]:
    """Return what was shown and is to be taken back, whatever the rules make of the notification.

    Of a deletion that is its message, unless the step that showed it says `retract: false`. Of a
    call's end it is what rings, or may in a moment.
    """
    found = facts.earlier.get(subject, {}).values()
    find_step = _step_finder(ruleset)
    if notification.kind == "delete":
        steps = ((each, find_step(each)) for each in find_shown(found))
        return [each for each, step in steps if _concerns(each, notification, step)]
    whose = {heard.uid for heard in hear(notification)}
    return [
        each
        for each in found
        if each.urgent and ("" in whose or each.uid in whose)
        if each.due_at <= now + NEAR and now < each.expires_at + RING
        if (step := find_step(each)) is None or step.retract
    ]


def find_told(found: Collection[Earlier], now: float) -> set[Place]:
    """Return where something has been sent since it rang: the device knows that it is over."""
    return {place_of(each) for each in found if not each.urgent and each.due_at <= now}


def aim(
    each: Earlier, channel: ChannelSpec, notification: Notification, facts: Facts
) -> list[tuple[str, str]]:
    """Return the contacts, with their addresses, by which to take back what a delivery has shown.

    That is its own. Where the channel wants that not to hear of it, as a token for nothing but
    rings, it is the other ones of the same device. Who is gone needs nothing.
    """
    owner = facts.recipient(each.app_id, each.uid)
    if owner.is_guarded:
        return []
    if not each.contact:
        return [("", each.address)]
    known = owner.contacts
    own = next((contact for contact in known if contact.id == each.contact), None)
    if own is None:
        return []
    if is_wanted(own, channel, notification):
        return [(own.id, own.address)]
    return [
        (other.id, other.address)
        for other in known
        if other.kind == own.kind and own.session and other.session == own.session
        if is_wanted(other, channel, notification)
    ]


def is_within_reach(each: Earlier, channel: ChannelSpec) -> bool:
    """Return whether what was shown can be taken back by its channel, or may yet turn out unsent.

    Without a rule that says so, a destination that is fixed in the channel is told nothing, and
    of a call that rang only what replaces it.
    """
    if channel.replaces and each.address:
        return True
    return not each.urgent and (
        (channel.retracts and each.named) or (each.state == "sending" and not channel.replaces)
    )


def revoke(each: Earlier, notification: Notification, about: str, now: float) -> Planned:
    """Return the delivery that takes another one back, though no rule sends it, less its id."""
    is_call = notification.kind == "call"
    return Planned(
        id="",
        rule=each.rule,
        step=each.step,
        channel=each.channel,
        contact=each.contact,
        address=each.address,
        lane=each.lane,
        due_at=now,
        expires_at=max(each.expires_at, now) + RING if is_call else now + DAY,
        follows=True,
        priority="high" if is_call else "normal",
        privacy=each.privacy,
        about=about,
        collapse=each.collapse,
        operation="retract",
        original=each.id,
    )


def is_unsent(each: Earlier) -> bool:
    """Return whether it waits, with something to be shown."""
    return each.state == "waiting" and each.operation != "retract"


def find_shown(found: Collection[Earlier]) -> list[Earlier]:
    """Return what was shown, or is about to be, and has not been taken back."""
    gone = {each.original for each in found if each.operation == "retract"}
    return [
        each
        for each in found
        if each.state != "waiting" and each.operation == "send" and each.id not in gone
    ]


def find_place(planned: Planned, earlier: Sequence[Earlier]) -> Earlier | None:
    """Return what stands where a delivery would, among what came earlier.

    That is the one of the same step, or one that another rule left.
    """
    there = [
        each
        for each in earlier
        if (each.channel, each.contact) == (planned.channel, planned.contact)
        and (each.contact or each.address == planned.address)
    ]
    same = (each for each in there if (each.rule, each.step) == (planned.rule, planned.step))
    others = (each for each in there if each.rule != planned.rule)
    return next(same, None) or next(others, None)


def find_own(
    notification: Notification,
    subject: str,
    facts: Facts,
    is_shared: bool,  # noqa: FBT001 - it is computed, never written out
) -> list[Earlier]:
    """Return what there is of the message; with `is_shared` what speaks for all recipients too."""
    return [
        each
        for each in facts.earlier.get(subject, {}).values()
        if _is_of(each, notification) or (is_shared and not each.contact)
    ]


def place_of(each: Earlier | Planned) -> Place:
    """Return where a delivery goes."""
    return each.channel, each.contact or each.address


def _concerns(each: Earlier, notification: Notification, step: Step | None) -> bool:
    if step is not None and not step.retract:
        return False
    is_shared = step is not None and step.once_per is not None and not each.contact
    return is_shared or _is_of(each, notification)


def _is_of(each: Earlier, notification: Notification) -> bool:
    return (each.app_id, each.uid) == (notification.app_id, notification.uid)


def _step_finder(ruleset: Ruleset) -> Callable[[Earlier], Step | None]:
    """Return what finds the step that a delivery came from, None where the rules lost it."""
    known: dict[tuple[str, int], Step | None] = {}

    def find(each: Earlier) -> Step | None:
        place = each.rule, each.step
        if place not in known:
            known[place] = _find_step(*place, ruleset)
        return known[place]

    return find


def _find_step(name: str, ordinal: int, ruleset: Ruleset) -> Step | None:
    found: Iterator[Step] = (
        step
        for rule in ruleset.rules
        if rule.name == name
        for step in rule.send[ordinal : ordinal + 1]
    )
    return next(found, None)
