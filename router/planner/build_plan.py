"""A decision made into a plan: deliveries with their words, those due now leased."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import structlog
from msgspec.structs import replace

from router.core.decide.decide import Decision
from router.core.decide.planned import PlannedDelivery
from router.core.decide.render import render
from router.core.model.delivery import Delivery
from router.core.model.delivery_record import copied_fields
from router.core.model.facts import Contact, Recipient
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.core.rules.ruleset import Ruleset
from router.queue.ports import LEASE_S, Plan

HasCapacity = Callable[[str], bool]
"""Returns whether a delivery of that channel can be sent at once."""

_SILENT = Content(title="", body="")

_log = structlog.get_logger(__name__)


class BuiltPlan(NamedTuple):
    """A plan with what it takes to send its deliveries."""

    plan: Plan
    notification: Notification
    recipient: Recipient

    def handouts(self) -> Iterator[tuple[Delivery, Notification, Contact | None]]:
        """Yield the deliveries that were leased with the plan, as the worker takes them."""
        contacts = {contact.id: contact for contact in self.recipient.contacts}
        for delivery in self.plan.deliveries:
            if delivery.state == "sending":
                yield delivery, self.notification, contacts.get(delivery.contact)


def build_plan(
    notification: Notification,
    recipient: Recipient,
    decision: Decision,
    ruleset: Ruleset,
    now: float,
) -> BuiltPlan:
    """Return the plan that a decision makes; nothing of it is leased yet."""
    deliveries = tuple(
        _delivery(planned, notification, recipient, ruleset, now) for planned in decision.deliveries
    )
    plan = Plan(
        notification=notification.id,
        decided_at=now,
        state=_state(deliveries),
        reason=decision.reason,
        version=decision.version,
        matched=decision.matched,
        deliveries=deliveries,
        effects=decision.effects,
        classified=notification.classified,
    )
    return BuiltPlan(plan, notification, recipient)


def lease(assembly: BuiltPlan, now: float, room: HasCapacity) -> BuiltPlan:
    """Return the assembly with the deliveries leased that are due and have room.

    One that follows another is left to the queue, which knows whether that has ended; so is one
    with an `unless`, which is asked in the transaction that leases it.
    """
    deliveries = tuple(
        replace(delivery, state="sending", lease_until=now + LEASE_S, handouts=1)
        if _is_free(delivery, now) and room(delivery.channel)
        else delivery
        for delivery in assembly.plan.deliveries
    )
    return assembly._replace(plan=replace(assembly.plan, deliveries=deliveries))


def _is_free(delivery: Delivery, now: float) -> bool:
    if delivery.watch is not None and delivery.watch.clauses:
        return False
    return delivery.state == "waiting" and delivery.due_at <= now and not delivery.follows


def _delivery(
    planned: PlannedDelivery,
    notification: Notification,
    recipient: Recipient,
    ruleset: Ruleset,
    now: float,
) -> Delivery:
    content = _SILENT
    if planned.state != "suppressed":
        rendered = render(planned, notification, recipient, ruleset, now)
        content = rendered.content
        if rendered.faults:
            _log.warning(
                "template rendering failed",
                notification=notification.id,
                delivery=planned.id,
                channel=planned.channel,
                rule=planned.rule,
                count=rendered.faults,
            )
    fields = copied_fields(planned, Delivery)
    fields["lane"] = planned.lane or _lane(planned, notification)
    return Delivery(notification=notification.id, content=content, **fields)


def _lane(planned: PlannedDelivery, notification: Notification) -> str:
    return "" if planned.address else f"{notification.app_id}/{notification.uid}"


def _state(deliveries: tuple[Delivery, ...]) -> Literal["pending", "dropped", "undelivered"]:
    if any(delivery.state == "waiting" for delivery in deliveries):
        return "pending"
    return "undelivered" if deliveries else "dropped"
