"""What a delivery gives way to: what waits of its message, a throttle, a once-key of another."""

from msgspec import Struct
from msgspec.structs import replace

from router.core.condition import Subject
from router.core.facts import CounterMove, Ending, Facts, OnceKey, Waiting
from router.core.planned import ONCE, Planned
from router.core.retraction import find_place, find_waiting, is_change, withdraw
from router.core.ruleset import Enrichment, Rule, Ruleset, Step, Throttle
from router.core.throttle import Overflow, Windows, schedule_summary, summary_key


class Way(Struct, frozen=True):
    """What the deliveries of a step have in common, `draft` being one without an address.

    One that is barred has nowhere to go; one that is shared speaks for all recipients.
    """

    step: Step
    draft: Planned
    is_barred: bool
    is_shared: bool
    overflow: Overflow | None


class Precedence:
    """Settles what becomes of one notification's deliveries, and keeps what that changes."""

    def __init__(self, subject: Subject, about: str, ruleset: Ruleset, facts: Facts) -> None:
        """Withdraw what a deletion cancels; `about` is what `tell_subject` says."""
        self.once: list[tuple[OnceKey, str]] = []
        self._subject = subject
        self._notification = subject.notification
        self._about = about
        self._ruleset = ruleset
        self._facts = facts
        self._windows: Windows | None = None
        self._withdrawn = (
            withdraw(subject.notification, about, ruleset, facts) if facts.waiting else ()
        )
        self.endings = [ending for _, ending in self._withdrawn]

    @property
    def moves(self) -> tuple[CounterMove, ...]:
        """How the counters of throttles moved."""
        return () if self._windows is None else self._windows.moves

    def admit(self, rule: Rule, throttle: Throttle) -> Overflow | None:
        """Count the notification, or return what it is too much for."""
        if self._windows is None:
            self._windows = Windows(self._subject, self._facts.counters)
        return self._windows.admit(rule, throttle)

    def settle(self, way: Way, planned: Planned) -> Planned:
        """Return the delivery with what it gives way to, or takes the place of."""
        if self._is_change(way.step):
            return self._change(way, planned)
        return self._hold_back(way, planned)

    def _is_change(self, step: Step) -> bool:
        return step.retract and is_change(self._notification)

    def _change(self, way: Way, planned: Planned) -> Planned:
        """Return what a step makes of an edit or a deletion."""
        if self._notification.kind == "delete":
            gone = find_place(planned, [waiting for waiting, _ in self._withdrawn])
            if gone is not None:
                return replace(planned, state="suppressed", reason=f"deleted: {gone.id}")
        else:
            ended = {ending.delivery for ending in self.endings}
            waiting = find_waiting(self._notification, self._about, self._facts, way.is_shared)
            found = find_place(planned, [each for each in waiting if each.id not in ended])
            if found is not None:
                return self._rewrite(found, self._share(way, planned))
        if planned.state != "suppressed" and not self._ruleset.channels[planned.channel].replaces:
            return replace(planned, state="suppressed", reason="cannot_change")
        return self._hold_back(way, planned)

    def _rewrite(self, waiting: Waiting, planned: Planned) -> Planned:
        """Return the delivery in the place of one that waits, which it ends."""
        if planned.reason.startswith(ONCE):
            return planned
        stands_by = planned.watch is not None and planned.watch.stands_by
        reason = f"replaced: {planned.id}"
        self.endings.append(Ending(delivery=waiting.id, state="cancelled", reason=reason))
        return replace(
            planned,
            state="waiting",
            reason="",
            deferred_by="",
            due_at=planned.due_at if stands_by else waiting.due_at,
            expires_at=planned.expires_at if stands_by else waiting.expires_at,
        )

    def _hold_back(self, way: Way, planned: Planned) -> Planned:
        """Return the delivery as the rule's throttle has it."""
        overflow = way.overflow
        if planned.state == "suppressed":
            return planned
        if overflow is None or planned.state == "expired":
            return self._share(way, planned)
        if overflow.throttle.summary is None or self._is_change(way.step):
            return replace(planned, state="suppressed", reason="throttled")
        shared = self._share(way, planned)
        if shared.state == "suppressed":
            return shared
        return self._sum_up(way, shared, overflow, overflow.throttle.summary)

    def _sum_up(self, way: Way, planned: Planned, overflow: Overflow, words: Enrichment) -> Planned:
        """Return the summary that a delivery becomes."""
        place = (planned.step, planned.channel, planned.contact, planned.address)
        timing = schedule_summary(way.step, self._subject, overflow)
        if timing.state != "waiting":
            return replace(planned, state=timing.state, reason=timing.reason)
        tally = overflow.windows.sum_up(overflow, place, planned.id, timing.due_at)
        if tally.ending is not None:
            self.endings.append(tally.ending)
        key = summary_key(overflow.key)
        return replace(
            planned,
            due_at=tally.due_at,
            expires_at=timing.expires_at,
            deferred_by=timing.deferred_by,
            about=key,
            collapse="" if way.step.collapse == "none" else key,
            count=tally.count,
            enrichments=(*planned.enrichments, words),
        )

    def _share(self, way: Way, planned: Planned) -> Planned:
        """Return the delivery; one for all recipients is suppressed if another holds its key."""
        if not way.is_shared:
            return planned
        key = OnceKey(
            self._notification.event,
            planned.rule,
            planned.step,
            planned.channel,
            planned.address,
        )
        holder = self._facts.once.get(key, planned.id)
        if holder != planned.id:
            return replace(planned, state="suppressed", reason=f"{ONCE}{holder}")
        self.once.append((key, planned.id))
        return replace(planned, once=key)
