"""What the rules look at: the notification, its recipient, and the top-level variables."""

from collections.abc import Mapping

from msgspec import Struct

from router.core.conditions.condition import ConditionSubject
from router.core.conditions.hours import Calendar
from router.core.model.facts import DecisionState, Recipient
from router.core.model.notification import Notification, is_ring
from router.core.rules.ruleset import Enrichment, Ruleset
from router.core.templates.context import visible
from router.core.templates.template import TemplateRenderError


class EvalContext(Struct, frozen=True, kw_only=True):
    """What conditions see of a notification, and the top-level enrichments that hold for it."""

    subject: ConditionSubject
    enrichments: tuple[Enrichment, ...]
    is_own_act: bool


def build_context(
    notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
) -> EvalContext:
    """Return what the rules look at; `vars` are made of the payload, never of rewritten text."""
    recipient = facts.recipient(notification.app_id, notification.uid)
    return build_context_for(notification, ruleset, recipient, now)


def build_context_for(
    notification: Notification, ruleset: Ruleset, recipient: Recipient, now: float
) -> EvalContext:
    """Return what the rules look at, for a recipient who is known."""
    variables: dict[str, str] = {}
    subject = ConditionSubject(
        notification=notification,
        recipient=recipient,
        vars=variables,
        now=now,
        calendar=Calendar(ruleset.hours, recipient, now),
    )
    holding = []
    for enrichment in ruleset.enrich:
        if enrichment.when is not None and not enrichment.when.holds(subject):
            continue
        holding.append(enrichment)
        if enrichment.vars:
            names = visible(notification, recipient, variables, now, ruleset.assumed)
            set_variables(enrichment, names, variables)
    return EvalContext(
        subject=subject,
        enrichments=tuple(holding),
        is_own_act=not ruleset.defaults.notify_sender and is_own_act(notification),
    )


def matching_enrichments(
    enrichments: tuple[Enrichment, ...], subject: ConditionSubject
) -> tuple[Enrichment, ...]:
    """Return those of the enrichments whose condition holds."""
    if not enrichments:
        return ()
    return tuple(
        enrichment
        for enrichment in enrichments
        if enrichment.when is None or enrichment.when.holds(subject)
    )


def set_variables(
    enrichment: Enrichment, names: Mapping[str, object], variables: dict[str, str]
) -> int:
    """Render an entry's `vars` into the mapping; return how many failed, which are absent."""
    faults = 0
    for name, template in enrichment.vars.items():
        try:
            variables[name] = template.render(names)
        except TemplateRenderError:
            variables.pop(name, None)
            faults += 1
    return faults


def is_own_act(notification: Notification) -> bool:
    """Return whether the recipient did it; later events of a call concern their devices too."""
    if notification.kind == "digest" or notification.sender != notification.uid:
        return False
    return notification.kind != "call" or is_ring(notification)
