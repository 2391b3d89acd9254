"""What the rules make of a notification: the one pure function behind everything."""

from typing import NamedTuple

from msgspec import Struct, structs

from router.core.call import hear, is_too_late
from router.core.collapse import collapse_key, tell_subject
from router.core.errors import Place
from router.core.facts import Contact, Effects, Ending, Facts, OnceKey, Waiting
from router.core.notification import Notification, is_ring, is_sequel
from router.core.outlook import Outlook, hold, survey
from router.core.planned import ONCE, Planned, arrange
from router.core.retraction import find_place, find_waiting, is_change, withdraw
from router.core.ruleset import Enrichment, Rule, Ruleset, Step, Throttle
from router.core.target import targets
from router.core.throttle import Overflow, Windows, schedule_summary, summary_key
from router.core.timing import schedule
from router.core.watch import CALL_OVER, watch

ON_NO_MATCH = "defaults.on_no_match"
"""What stands for the rule of a delivery that no rule sent."""

_NOWHERE = Place("", 0, 0)


class Duplicate(Struct, frozen=True, kw_only=True):
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
    deliveries: tuple[Planned, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    effects: Effects = Effects()
    reason: str = ""
    mismatches: tuple[str, ...] = ()


def decide(notification: Notification, ruleset: Ruleset, facts: Facts, now: float) -> Decision:
    """Return what is to be sent, to whom, over which channels, and when.

    Pure: the same arguments give the same decision. The caller folds `effects` into the facts
    before the next decision of a batch.
    """
    outlook = survey(notification, ruleset, facts, now)
    if not outlook.is_own_act and is_too_late(notification, facts):
        return Decision(version=ruleset.version, reason=CALL_OVER)
    walk = _Walk(outlook, ruleset, facts)
    reason = "own_act" if outlook.is_own_act else walk.rules()
    return Decision(
        version=ruleset.version,
        matched=tuple(walk.matched),
        deliveries=arrange(walk.planned, facts),
        duplicates=tuple(walk.duplicates),
        effects=walk.effects(),
        reason="" if walk.planned else reason,
        mismatches=tuple(outlook.subject.mismatches),
    )


class _Way(NamedTuple):
    """What the deliveries of a step have in common, `draft` being one without an address."""

    step: Step
    draft: Planned
    is_barred: bool
    is_shared: bool
    overflow: Overflow | None


class _Walk:
    """One walk over the rules: what it met, what it plans, and what it changes."""

    def __init__(self, outlook: Outlook, ruleset: Ruleset, facts: Facts) -> None:
        notification = outlook.subject.notification
        self.matched: list[str] = []
        self.planned: list[Planned] = []
        self.duplicates: list[Duplicate] = []
        self._once: list[tuple[OnceKey, str]] = []
        self._windows: Windows | None = None
        self._subject = outlook.subject
        self._notification = notification
        self._about = tell_subject(notification)
        self._facts = facts
        self._withdrawn = (
            withdraw(notification, self._about, ruleset, facts) if facts.waiting else ()
        )
        self._endings = [ending for _, ending in self._withdrawn]
        self._enrichments = outlook.enrichments
        self._ruleset = ruleset
        self._taken = facts.once
        self._standing: dict[tuple[str, str], Planned] = {}

    def effects(self) -> Effects:
        """Return what the walk changes."""
        return Effects(
            once=tuple(self._once),
            calls=hear(self._notification),
            counters=() if self._windows is None else self._windows.moves,
            endings=tuple(self._endings),
        )

    def rules(self) -> str:
        """Follow the rules that match; return why nothing was planned, for when nothing was."""
        subject, ended, reason = self._subject, None, "no_step"
        for rule in self._ruleset.candidates(subject):
            if rule.owner == ended or not rule.when.holds(subject):
                continue
            self.matched.append(rule.name)
            overflow = None if rule.throttle is None else self._admit(rule, rule.throttle)
            enrichments = (*self._enrichments, *hold(rule.shared, subject), rule.enrich)
            for ordinal, step in enumerate(rule.send):
                self._step(rule.name, ordinal, step, enrichments, overflow)
            if rule.stop or rule.drop:
                ended = rule.owner
            if rule.drop:
                reason = f"dropped: {rule.name}"
        if self.matched:
            return reason
        for ordinal, channel in enumerate(self._ruleset.defaults.on_no_match):
            step = Step(channel=channel, place=_NOWHERE)
            self._step(ON_NO_MATCH, ordinal, step, self._enrichments, None)
        return "no_match"

    def _admit(self, rule: Rule, throttle: Throttle) -> Overflow | None:
        """Return what the notification is too much for, if a throttle says so."""
        if self._windows is None:
            self._windows = Windows(self._subject, self._facts.counters)
        return self._windows.admit(rule, throttle)

    def _step(
        self,
        rule: str,
        ordinal: int,
        step: Step,
        enrichments: tuple[Enrichment, ...],
        overflow: Overflow | None,
    ) -> None:
        """Plan a step's deliveries, less those for which an earlier rule's stand."""
        if step.when is not None and not step.when.holds(self._subject):
            return
        kind = self._ruleset.channels[step.channel].address_kind
        found = targets(step, kind, self._subject)
        draft = self._draft(rule, ordinal, step, enrichments, found.suppression)
        is_shared = found.is_fixed and step.once_per is not None
        way = _Way(step, draft, bool(found.suppression), is_shared, overflow)
        for contact in found.contacts:
            standing = self._standing.setdefault((step.channel, contact.address), draft)
            if standing.rule == rule:
                self.planned.append(self._address(way, contact))
            else:
                duplicate = Duplicate(
                    rule=rule, step=ordinal, channel=step.channel, stands=standing.rule
                )
                self.duplicates.append(duplicate)

    def _draft(
        self,
        rule: str,
        ordinal: int,
        step: Step,
        enrichments: tuple[Enrichment, ...],
        suppression: str,
    ) -> Planned:
        """Return what all deliveries of a step have in common."""
        notification = self._notification
        timing = schedule(step, self._subject)
        state, reason = timing.state, timing.reason
        if suppression:
            state, reason = "suppressed", suppression
        return Planned(
            id="",
            rule=rule,
            step=ordinal,
            channel=step.channel,
            state=state,
            reason=reason,
            due_at=timing.due_at,
            expires_at=timing.expires_at,
            deferred_by=timing.deferred_by,
            urgent=is_ring(notification),
            follows=is_sequel(notification),
            priority=step.priority or ("high" if notification.kind == "call" else "normal"),
            privacy=step.privacy,
            about=self._about,
            collapse=collapse_key(step.collapse, notification, self._about),
            watch=watch(step.unless, notification, is_late=step.after is not None),
            enrichments=(*enrichments, step.enrich),
        )

    def _address(self, way: _Way, contact: Contact) -> Planned:
        """Return the delivery to a contact, which others may stand for or come before."""
        planned = structs.replace(
            way.draft,
            id=f"{self._notification.id}-{len(self.planned)}",
            contact=contact.id,
            address=contact.address,
        )
        if way.is_barred:
            return planned
        if way.step.retract and is_change(self._notification):
            return self._change(way, planned, contact)
        return self._hold_back(way, planned)

    def _change(self, way: _Way, planned: Planned, contact: Contact) -> Planned:
        """Return what a step makes of an edit or a deletion."""
        names = (planned.rule, planned.step, planned.channel, contact)
        if self._notification.kind == "delete":
            gone = find_place(*names, [waiting for waiting, _ in self._withdrawn])
            if gone is not None:
                return structs.replace(planned, state="suppressed", reason=f"deleted: {gone.id}")
        else:
            ended = {ending.delivery for ending in self._endings}
            waiting = find_waiting(self._notification, self._about, self._facts, way.is_shared)
            found = find_place(*names, [each for each in waiting if each.id not in ended])
            if found is not None:
                return self._rewrite(found, self._share(way, planned))
        if planned.state != "suppressed" and not self._ruleset.channels[planned.channel].replaces:
            return structs.replace(planned, state="suppressed", reason="cannot_change")
        return self._hold_back(way, planned)

    def _rewrite(self, waiting: Waiting, planned: Planned) -> Planned:
        """Return the delivery in the place of one that waits, which it ends."""
        if planned.reason.startswith(ONCE):
            return planned
        stands_by = planned.watch is not None and planned.watch.stands_by
        reason = f"replaced: {planned.id}"
        self._endings.append(Ending(delivery=waiting.id, state="cancelled", reason=reason))
        return structs.replace(
            planned,
            state="waiting",
            reason="",
            deferred_by="",
            due_at=planned.due_at if stands_by else waiting.due_at,
            expires_at=planned.expires_at if stands_by else waiting.expires_at,
        )

    def _hold_back(self, way: _Way, planned: Planned) -> Planned:
        """Return the delivery as the rule's throttle has it."""
        overflow = way.overflow
        if planned.state == "suppressed":
            return planned
        if overflow is None or planned.state == "expired":
            return self._share(way, planned)
        is_change_alone = way.step.retract and is_change(self._notification)
        if overflow.throttle.summary is None or is_change_alone:
            return structs.replace(planned, state="suppressed", reason="throttled")
        shared = self._share(way, planned)
        if shared.state == "suppressed":
            return shared
        return self._sum_up(way, shared, overflow, overflow.throttle.summary)

    def _sum_up(
        self, way: _Way, planned: Planned, overflow: Overflow, words: Enrichment
    ) -> Planned:
        """Return the summary that a delivery becomes."""
        place = (planned.step, planned.channel, planned.contact, planned.address)
        timing = schedule_summary(way.step, self._subject, overflow)
        if timing.state != "waiting":
            return structs.replace(planned, state=timing.state, reason=timing.reason)
        tally = overflow.windows.sum_up(overflow, place, planned.id, timing.due_at)
        if tally.ending is not None:
            self._endings.append(tally.ending)
        key = summary_key(overflow.key)
        return structs.replace(
            planned,
            due_at=tally.due_at,
            expires_at=timing.expires_at,
            deferred_by=timing.deferred_by,
            about=key,
            collapse="" if way.step.collapse == "none" else key,
            count=tally.count,
            enrichments=(*planned.enrichments, words),
        )

    def _share(self, way: _Way, planned: Planned) -> Planned:
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
            return structs.replace(planned, state="suppressed", reason=f"{ONCE}{holder}")
        self._once.append((key, planned.id))
        return structs.replace(planned, once=key)
