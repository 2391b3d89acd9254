"""What a delivery gives way to: what waits of its message, a throttle, a once-key of another."""

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from router.core.conditions.condition import ConditionSubject
from router.core.decide.planned import ONCE_REASON_PREFIX, PlannedDelivery
from router.core.decide.retraction import (
    already_notified,
    find_own,
    find_place,
    find_shown,
    is_unsent,
    is_within_reach,
    make_retraction,
    place_of,
    plan_retractions,
    retraction_targets,
    withdraw,
)
from router.core.decide.throttle import OverLimit, ThrottleWindows, schedule_summary, summary_key
from router.core.model.call import name_missed
from router.core.model.facts import (
    Cancellation,
    DecisionState,
    OnceKey,
    PriorDelivery,
    WindowUpdate,
)
from router.core.model.notification import DAY_S, is_change
from router.core.model.types import Operation
from router.core.rules.ruleset import Enrichment, Rule, Ruleset, Step, Throttle


class StepContext(Struct, frozen=True):
    """What the deliveries of a step have in common, `draft` being one without an address.

    One that is barred has nowhere to go; one that is shared speaks for all recipients.
    """

    step: Step
    draft: PlannedDelivery
    is_barred: bool
    is_shared: bool
    overflow: OverLimit | None


class DeliveryResolver:
    """Settles what becomes of one notification's deliveries, and keeps what that changes."""

    def __init__(
        self, subject: ConditionSubject, about: str, ruleset: Ruleset, facts: DecisionState
    ) -> None:
        """Withdraw what a deletion cancels; `about` is its topic."""
        self.once: list[tuple[OnceKey, str]] = []
        self._subject = subject
        self._notification = subject.notification
        self._about = about
        self._ruleset = ruleset
        self._facts = facts
        self._windows: ThrottleWindows | None = None
        self._withdrawn = (
            withdraw(subject.notification, about, ruleset, facts) if facts.earlier else ()
        )
        self.endings = [ending for _, ending in self._withdrawn]

    @property
    def window_updates(self) -> tuple[WindowUpdate, ...]:
        """How the counters of throttles moved."""
        return () if self._windows is None else self._windows.window_updates

    def plan_retractions(self, planned: Sequence[PlannedDelivery]) -> Sequence[PlannedDelivery]:
        """Return what takes back what was shown, where none of the planned deliveries does."""
        earlier = self._facts.earlier and self._facts.earlier.get(self._about)
        return list(self._make_retractions(planned, earlier.values())) if earlier else ()

    def _make_retractions(
        self, planned: Sequence[PlannedDelivery], priors: Collection[PriorDelivery]
    ) -> Iterator[PlannedDelivery]:
        now, notification, count = self._subject.now, self._notification, len(planned)
        done = {delivery.original for delivery in planned}
        done.update(delivery.original for delivery in priors if delivery.operation == "retract")
        notified = already_notified(priors, now)
        notified |= {
            place_of(delivery)
            for delivery in planned
            if delivery.state == "waiting"
            if delivery.due_at <= now
        }
        for retraction in plan_retractions(
            notification, self._about, self._ruleset, self._facts, now
        ):
            channel = self._ruleset.channels.get(retraction.channel)
            if retraction.id in done or channel is None or not is_within_reach(retraction, channel):
                continue
            draft = make_retraction(retraction, notification, self._about, now)
            for contact, address in retraction_targets(
                retraction, channel, notification, self._facts
            ):
                place = retraction.channel, contact or address
                if not retraction.urgent or place not in notified:
                    notified.add(place)
                    id_ = f"{notification.id}-{count}"
                    yield replace(draft, id=id_, contact=contact, address=address)
                    count += 1

    def admit(self, rule: Rule, throttle: Throttle) -> OverLimit | None:
        """Count the notification, or return what it is too much for."""
        return self._find_windows().admit(rule, throttle)

    def find_burst(self, rule: Rule, throttle: Throttle) -> str:
        """Return what tells the window of a notification that was admitted, or not, from others."""
        return self._find_windows().find_burst(rule, throttle)

    def _find_windows(self) -> ThrottleWindows:
        if self._windows is None:
            self._windows = ThrottleWindows(self._subject, self._facts.counters)
        return self._windows

    def resolve(self, step_context: StepContext, planned: PlannedDelivery) -> PlannedDelivery:
        """Return the delivery with what it gives way to, or takes the place of."""
        if self._is_change(step_context.step):
            return self._resolve_change(step_context, planned)
        return self._apply_throttle(step_context, planned)

    def _is_change(self, step: Step) -> bool:
        return step.retract and is_change(self._notification)

    def _resolve_change(
        self, step_context: StepContext, planned: PlannedDelivery
    ) -> PlannedDelivery:
        """Return what a step makes of an edit or a deletion."""
        is_edit = self._notification.kind == "edit"
        own = find_own(self._notification, self._about, self._facts, step_context.is_shared)
        if is_edit:
            ended = {ending.delivery for ending in self.endings}
            waiting = (prior for prior in own if is_unsent(prior) and prior.id not in ended)
            if (standing := find_place(planned, list(waiting))) is not None:
                return self._replace_waiting(standing, self._claim_once_key(step_context, planned))
        channel = self._ruleset.channels[planned.channel]
        shown = find_place(planned, find_shown(own))
        if shown is not None:
            # As it was: the rules may have moved on.
            planned = replace(planned, collapse=shown.collapse)
        has_way = channel.updates if is_edit else channel.retracts
        if shown is not None and (
            (has_way and shown.named)
            or (shown.state == "sending" and not (is_edit and channel.replaces))
            or (channel.replaces and not is_edit)
        ):
            altered = self._update_shown(planned, shown, "update" if is_edit else "retract")
            return self._claim_once_key(step_context, altered)
        if not is_edit and (gone := find_place(planned, self._find_gone(own))) is not None:
            return replace(planned, state="suppressed", reason=f"deleted: {gone.id}")
        if planned.state != "suppressed" and not channel.replaces:
            reason = "not_shown" if has_way and shown is None else "cannot_change"
            return replace(planned, state="suppressed", reason=reason)
        return self._apply_throttle(
            step_context, planned if is_edit else replace(planned, operation="retract")
        )

    def _find_gone(self, own: list[PriorDelivery]) -> list[PriorDelivery]:
        """Return what a deletion has withdrawn, or took back already."""
        withdrawn = [waiting for waiting, _ in self._withdrawn]
        return withdrawn + [prior for prior in own if prior.operation == "retract"]

    def _update_shown(
        self, planned: PlannedDelivery, shown: PriorDelivery, operation: Operation
    ) -> PlannedDelivery:
        """Return the delivery as one that changes what is shown, at once: that disturbs nobody."""
        return replace(
            planned,
            state="waiting",
            reason="",
            deferred_by="",
            due_at=self._subject.now,
            expires_at=self._subject.now + DAY_S,
            watch=None,
            operation=operation,
            original=shown.id,
            lane=shown.lane,
        )

    def _replace_waiting(self, waiting: PriorDelivery, planned: PlannedDelivery) -> PlannedDelivery:
        """Return the delivery in the place of one that waits, which it ends."""
        if planned.reason.startswith(ONCE_REASON_PREFIX):
            return planned
        stands_by = planned.watch is not None and planned.watch.stands_by
        reason = f"replaced: {planned.id}"
        self.endings.append(Cancellation(delivery=waiting.id, state="cancelled", reason=reason))
        return replace(
            planned,
            state="waiting",
            reason="",
            deferred_by="",
            due_at=planned.due_at if stands_by else waiting.due_at,
            expires_at=planned.expires_at if stands_by else waiting.expires_at,
            collapse=waiting.collapse,
            operation=waiting.operation,
            original=waiting.original,
            lane=waiting.lane,
        )

    def _apply_throttle(
        self, step_context: StepContext, planned: PlannedDelivery
    ) -> PlannedDelivery:
        """Return the delivery as the rule's throttle has it."""
        overflow = step_context.overflow
        if planned.state == "suppressed":
            return planned
        if overflow is None or planned.state == "expired":
            return self._claim_once_key(step_context, planned)
        if overflow.throttle.summary is None or self._is_change(step_context.step):
            return replace(planned, state="suppressed", reason="throttled")
        shared = self._claim_once_key(step_context, planned)
        if shared.state == "suppressed":
            return shared
        return self._make_summary(step_context, shared, overflow, overflow.throttle.summary)

    def _make_summary(
        self,
        step_context: StepContext,
        planned: PlannedDelivery,
        overflow: OverLimit,
        words: Enrichment,
    ) -> PlannedDelivery:
        """Return the summary that a delivery becomes."""
        place = (planned.step, planned.channel, planned.contact, planned.address)
        timing = schedule_summary(step_context.step, self._subject, overflow)
        if timing.state != "waiting":
            return replace(planned, state=timing.state, reason=timing.reason)
        tally = overflow.windows.summarize(overflow, place, planned.id, timing.due_at)
        if tally.ending is not None:
            self.endings.append(tally.ending)
        key = summary_key(overflow.key)
        collapse = {"none": "", "throttle": planned.collapse}.get(step_context.step.collapse, key)
        return replace(
            planned,
            due_at=tally.due_at,
            expires_at=timing.expires_at,
            deferred_by=timing.deferred_by,
            about=key,
            collapse=collapse,
            count=tally.count,
            first=tally.first,
            others=tally.others,
            enrichments=(*planned.enrichments, words),
        )

    def _claim_once_key(
        self, step_context: StepContext, planned: PlannedDelivery
    ) -> PlannedDelivery:
        """Return the delivery, suppressed if one stands for it that holds its key.

        Such a key have the deliveries for all recipients, and the notices of a missed call.
        """
        key = self._find_key(step_context, planned)
        if key is None:
            return planned
        holder = self._facts.once.get(key, planned.id)
        if holder != planned.id and not holder.startswith(f"{self._notification.id}-"):
            return replace(planned, state="suppressed", reason=f"{ONCE_REASON_PREFIX}{holder}")
        if all(taken != key for taken, _ in self.once):
            self.once.append((key, planned.id))
        return replace(planned, once=key)

    def _find_key(self, step_context: StepContext, planned: PlannedDelivery) -> OnceKey | None:
        is_call = self._notification.kind == "call"
        missed = is_call and name_missed(self._notification, for_all=step_context.is_shared)
        if missed:
            return OnceKey(missed, "", 0, *place_of(planned))
        if not step_context.is_shared:
            return None
        return OnceKey(
            self._notification.event,
            planned.rule,
            planned.step,
            planned.channel,
            planned.address,
        )
