"""What the rules make of a notification: the one pure function behind everything."""

from collections.abc import Iterator, Sequence

from msgspec import Struct, structs

from router.core.decide.collapse_key import collapse_key
from router.core.decide.evaluation import (
    EvalContext,
    build_context,
    build_context_for,
    matching_enrichments,
)
from router.core.decide.planned import PlannedDelivery, resolve_fallbacks
from router.core.decide.superseding import DeliveryResolver, StepContext
from router.core.decide.targets import StepTargets, targets
from router.core.decide.throttle import OverLimit
from router.core.decide.timing import schedule
from router.core.errors import Place
from router.core.model.address import name_address_fault
from router.core.model.call import is_too_late, record_call_event
from router.core.model.facts import Contact, DecisionState, StateChanges, with_device_locale
from router.core.model.notification import Notification, is_about_others, is_ring, is_sequel
from router.core.model.unless import CALL_OVER, bind_wait_condition
from router.core.rules.ruleset import Enrichment, Rule, Ruleset, Step, Throttle

ON_NO_MATCH = "defaults.on_no_match"
"""What stands for the rule of a delivery that no rule sent."""

_NOTHING = StateChanges()
_NOWHERE = Place("", 0, 0)


class DuplicateStep(Struct, frozen=True, kw_only=True):
    """A step that sends nothing, because a delivery of an earlier rule stands for it."""

    rule: str
    step: int
    channel: str
    stands: str
    """The rule whose delivery over the same channel to the same address stands for it."""


class Decision(Struct, frozen=True, kw_only=True):
    """What becomes of one notification, and why.

    `matched` names the rules that matched, in file order. `reason` says why there is no
    delivery: `own_act`, `call_over`, `no_match`, `no_step`, `dropped: RULE`, or empty.
    `duplicates` are for explain, not for the log. `mismatches` names the fields whose value was of
    the wrong type.
    """

    version: str
    matched: tuple[str, ...] = ()
    deliveries: tuple[PlannedDelivery, ...] = ()
    duplicates: tuple[DuplicateStep, ...] = ()
    effects: StateChanges = StateChanges()
    reason: str = ""
    mismatches: tuple[str, ...] = ()


def decide(
    notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
) -> Decision:
    """Return what is to be sent, to whom, over which channels, and when.

    Pure: the same arguments give the same decision. The caller folds `effects` into the facts
    before the next decision of a batch.
    """
    context = build_context(notification, ruleset, facts, now)
    if not context.is_own_act and is_too_late(notification, facts):
        return Decision(version=ruleset.version, reason=CALL_OVER)
    evaluation = RuleEvaluation(context, ruleset, facts)
    reason = "own_act" if context.is_own_act else evaluation.evaluate_rules()
    evaluation.plan_retractions()
    return Decision(
        version=ruleset.version,
        matched=tuple(evaluation.matched),
        deliveries=resolve_fallbacks(evaluation.planned, facts),
        duplicates=tuple(evaluation.duplicates),
        effects=evaluation.effects(),
        reason="" if evaluation.planned else reason,
        mismatches=tuple(context.subject.mismatches),
    )


class _StepOrigin(Struct, frozen=True):
    """The rule a step stands in, and what that says for all of its steps."""

    rule: str
    overflow: OverLimit | None = None
    burst: str = ""
    """The window of the rule's throttle."""
    shared: tuple[Enrichment, ...] = ()
    enrich: Enrichment = Enrichment()
    enrichments: tuple[Enrichment, ...] = ()
    """All that hold for the recipient."""


class RuleEvaluation:
    """One walk over the rules: what it met, what it plans, and what it changes."""

    def __init__(self, context: EvalContext, ruleset: Ruleset, facts: DecisionState) -> None:
        notification = context.subject.notification
        self.matched: list[str] = []
        self.planned: list[PlannedDelivery] = []
        self.duplicates: list[DuplicateStep] = []
        self._context = context
        self._subject = context.subject
        self._notification = notification
        self._about = notification.topic
        self._is_ring = is_ring(notification)
        self._ruleset = ruleset
        self._facts = facts
        recipient = context.subject.recipient
        self._country = ruleset.country_of(notification.app_id, recipient.country)
        self._first_deliveries: dict[tuple[str, str], PlannedDelivery] = {}
        self._contexts: dict[str, EvalContext] = {}
        self._resolver: DeliveryResolver | None = None
        if is_about_others(notification):
            self._get_resolver()

    def effects(self) -> StateChanges:
        """Return what the walk changes."""
        resolver = self._resolver
        if resolver is None:
            return _NOTHING
        return StateChanges(
            once=tuple(resolver.once),
            calls=record_call_event(self._notification),
            counters=resolver.window_updates,
            endings=tuple(resolver.endings),
        )

    def evaluate_rules(self) -> str:
        """Follow the rules that match; return why nothing was planned, for when nothing was."""
        subject, ended, reason = self._subject, None, "no_step"
        for rule in self._ruleset.candidates(subject):
            if rule.owner == ended or not rule.when.holds(subject):
                continue
            self.matched.append(rule.name)
            overflow = (
                None if rule.throttle is None else self._get_resolver().admit(rule, rule.throttle)
            )
            enrichments = (
                *self._context.enrichments,
                *matching_enrichments(rule.shared, subject),
                rule.enrich,
            )
            burst = "" if rule.throttle is None else self._find_burst(rule, rule.throttle)
            origin = _StepOrigin(rule.name, overflow, burst, rule.shared, rule.enrich, enrichments)
            for ordinal, step in enumerate(rule.send):
                self._plan_step(origin, ordinal, step)
            if rule.stop or rule.drop:
                ended = rule.owner
            if rule.drop:
                reason = f"dropped: {rule.name}"
        if self.matched:
            return reason
        for ordinal, channel in enumerate(self._ruleset.defaults.on_no_match):
            step = Step(channel=channel, place=_NOWHERE)
            origin = _StepOrigin(ON_NO_MATCH, enrichments=self._context.enrichments)
            self._plan_step(origin, ordinal, step)
        return "no_match"

    def plan_retractions(self) -> None:
        """Plan to take back what was shown, where no rule does."""
        if self._resolver is not None:
            self.planned += self._resolver.plan_retractions(self.planned)

    def _get_resolver(self) -> DeliveryResolver:
        """Return what deliveries give way to; most notifications have nothing of the kind."""
        if self._resolver is None:
            self._resolver = DeliveryResolver(
                self._subject, self._about, self._ruleset, self._facts
            )
        return self._resolver

    def _plan_step(self, origin: _StepOrigin, ordinal: int, step: Step) -> None:
        """Plan a step's deliveries, less those for which an earlier rule's stand."""
        channel = self._ruleset.channels[step.channel]
        if not self._ruleset.heeds_locale:
            if step.when is None or step.when.holds(self._subject):
                step_targets = targets(step, channel, self._subject, self._country)
                self._plan_deliveries(origin, ordinal, step, step_targets, origin.enrichments)
            return
        step_targets = targets(step, channel, self._subject, self._country)
        for context, contacts in self._contexts_by_locale(step_targets.contacts):
            subject = context.subject
            if step.when is None or step.when.holds(subject):
                shared = matching_enrichments(origin.shared, subject)
                enrichments = (*context.enrichments, *shared, origin.enrich)
                there = structs.replace(step_targets, contacts=contacts)
                self._plan_deliveries(origin, ordinal, step, there, enrichments)

    def _contexts_by_locale(
        self, contacts: Sequence[Contact]
    ) -> Iterator[tuple[EvalContext, Sequence[Contact]]]:
        """Yield what conditions see, with the contacts from which they see it: one or several."""
        self._contexts.setdefault(self._subject.recipient.locale, self._context)
        seen: dict[str, list[Contact]] = {}
        for contact in contacts:
            recipient = with_device_locale(self._subject.recipient, contact)
            if recipient.locale not in self._contexts:
                context = build_context_for(
                    self._notification, self._ruleset, recipient, self._subject.now
                )
                self._contexts[recipient.locale] = context
            seen.setdefault(recipient.locale, []).append(contact)
        for locale, contexts in seen.items():
            yield self._contexts[locale], contexts

    def _plan_deliveries(
        self,
        origin: _StepOrigin,
        ordinal: int,
        step: Step,
        step_targets: StepTargets,
        enrichments: tuple[Enrichment, ...],
    ) -> None:
        """Plan the deliveries to some contacts, unless an earlier rule's stand for them."""
        draft = self._draft_delivery(origin, ordinal, step, enrichments, step_targets)
        is_shared = step_targets.is_fixed and step.once_per is not None
        is_barred = bool(step_targets.suppression or step_targets.fault)
        step_context = StepContext(step, draft, is_barred, is_shared, origin.overflow)
        for contact in step_targets.contacts:
            standing = self._first_deliveries.setdefault((step.channel, contact.address), draft)
            if standing.rule == origin.rule:
                self.planned.append(self._plan_delivery(step_context, contact))
            else:
                duplicate = DuplicateStep(
                    rule=origin.rule, step=ordinal, channel=step.channel, stands=standing.rule
                )
                self.duplicates.append(duplicate)

    def _find_burst(self, rule: Rule, throttle: Throttle) -> str:
        """Return the window of a rule's throttle, where a step of the rule wants to know."""
        if any(step.collapse == "throttle" for step in rule.send):
            return self._get_resolver().find_burst(rule, throttle)
        return ""

    def _draft_delivery(
        self,
        origin: _StepOrigin,
        ordinal: int,
        step: Step,
        enrichments: tuple[Enrichment, ...],
        step_targets: StepTargets,
    ) -> PlannedDelivery:
        """Return what all deliveries of a step have in common."""
        notification = self._notification
        timing = schedule(step, self._subject)
        state, reason = timing.state, timing.reason
        if step_targets.suppression:
            state, reason = "suppressed", step_targets.suppression
        elif step_targets.fault:
            state, reason = "dead", name_address_fault(step_targets.fault)
        return PlannedDelivery(
            id="",
            rule=origin.rule,
            step=ordinal,
            channel=step.channel,
            state=state,
            reason=reason,
            due_at=timing.due_at,
            expires_at=timing.expires_at,
            deferred_by=timing.deferred_by,
            urgent=self._is_ring,
            follows=is_sequel(notification),
            priority=step.priority or ("high" if notification.kind == "call" else "normal"),
            privacy=step.privacy,
            about=self._about,
            collapse=collapse_key(step.collapse, notification, origin.burst),
            watch=bind_wait_condition(step.unless, notification, is_late=step.after is not None)
            if step.unless or self._is_ring
            else None,
            enrichments=(*enrichments, step.enrich),
        )

    def _plan_delivery(self, step_context: StepContext, contact: Contact) -> PlannedDelivery:
        """Return the delivery to a contact, which others may stand for or come before."""
        planned = structs.replace(
            step_context.draft,
            id=f"{self._notification.id}-{len(self.planned)}",
            contact=contact.id,
            address=contact.address,
        )
        if step_context.is_barred or (self._resolver is None and not step_context.is_shared):
            return planned
        return self._get_resolver().resolve(step_context, planned)
