"""What the rules make of events over time, on a clock that nobody waits for.

It decides as the router does, and takes the providers to answer at once.
"""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from router.core.decide.decide import ON_NO_MATCH, decide
from router.core.decide.planned import PlannedDelivery
from router.core.decide.render import render
from router.core.decide.retraction import to_prior_delivery
from router.core.model.facts import DecisionState, DeliveryProgress, ReadMarker
from router.core.model.notification import Notification
from router.core.model.unless import cancel_reason, is_released, makes_needless
from router.core.rules.classify import classify
from router.core.rules.ruleset import Ruleset
from router.core.simulate.test_case import RuleTest, SentMessage, TestEvent


class SimulationResult(Struct, frozen=True, kw_only=True):
    """What went out, in order, and the names of the rules that matched some event."""

    sent: tuple[SentMessage, ...]
    matched: frozenset[str]


class _WaitingDelivery(NamedTuple):
    planned: PlannedDelivery
    notification: Notification
    by_itself: bool


def simulate(case: RuleTest, ruleset: Ruleset) -> SimulationResult:
    """Return what goes out when the events of a case happen, until nothing waits any more."""
    stage = _Simulator(case, ruleset)
    for event in case.events:
        stage.advance(event.at)
        stage.receive(event)
    stage.advance(float("inf"))
    return SimulationResult(sent=tuple(stage.sent), matched=frozenset(stage.matched))


class _Simulator:
    """The world of one case: what is known, what waits, what went out."""

    def __init__(self, case: RuleTest, ruleset: Ruleset) -> None:
        self.sent: list[SentMessage] = []
        self.matched: set[str] = set()
        self._case = case
        self._ruleset = ruleset
        self._kinds = frozenset(spec.address_kind for spec in ruleset.channels.values()) - {""}
        self._facts = DecisionState()
        self._waiting: dict[str, _WaitingDelivery] = {}
        self._ends: dict[str, bool] = {}
        self._now = case.at

    def advance(self, until: float) -> None:
        """Let happen what is due until a time."""
        while due := self._next(until):
            self._take(due.planned.id)
            self._send(due)

    def receive(self, event: TestEvent) -> None:
        """Decide on a payload that comes, or remember that it was read."""
        self._now = event.at
        if event.is_read:
            self._read(event.notification)
        else:
            self._decide(event.notification)
        self._update_waiting()
        self.advance(event.at)

    def _next(self, until: float) -> _WaitingDelivery | None:
        due = (waiting for waiting in self._waiting.values() if waiting.planned.due_at <= until)
        return min(
            due, key=lambda waiting: (waiting.planned.due_at, waiting.planned.id), default=None
        )

    def _read(self, notification: Notification) -> None:
        whose = (notification.app_id, notification.uid, notification.conversation)
        self._facts.reads[whose] = ReadMarker(message=0, read_at=self._now)

    def _decide(self, notification: Notification) -> None:
        notification = classify(notification, self._ruleset)
        self._register_recipients(notification)
        decision = decide(notification, self._ruleset, self._facts, self._now)
        self._facts.apply_changes(decision.effects)
        self.matched.update(decision.matched)
        for planned in decision.deliveries:
            by_rule = planned.rule in {*decision.matched, ON_NO_MATCH}
            if planned.state == "waiting":
                by_itself = planned.operation == "retract" and not by_rule
                self._keep(_WaitingDelivery(planned, notification, by_itself))
        for ending in decision.effects.endings:
            if due := self._take(ending.delivery):
                self._end(due.planned, ending.state, ending.reason)

    def _keep(self, due: _WaitingDelivery) -> None:
        """Let a delivery wait, where an edit or a deletion of its message finds it."""
        self._waiting[due.planned.id] = due
        self._note(due, "waiting")

    def _note(self, due: _WaitingDelivery, state: DeliveryProgress) -> None:
        """Let what changes its message later find a delivery."""
        planned, notification, _ = due
        channel = self._ruleset.channels[planned.channel]
        named = state == "delivered" and (channel.updates or channel.retracts)
        of_subject = self._facts.earlier.setdefault(planned.about, {})
        of_subject[planned.id] = to_prior_delivery(planned, notification, state, named=named)

    def _take(self, delivery: str) -> _WaitingDelivery | None:
        """Return a delivery that waits no longer; None for one that did not."""
        due = self._waiting.pop(delivery, None)
        if due is not None:
            self._facts.earlier[due.planned.about].pop(delivery, None)
        return due

    def _update_waiting(self) -> None:
        """Drop what became needless, and let go what waited for others, until nothing changes."""
        for waiting in list(self._waiting.values()):
            planned, watch = waiting.planned, waiting.planned.watch
            if watch is None or planned.id not in self._waiting:
                continue
            if reason := cancel_reason(watch, self._facts, self._ends):
                self._take(planned.id)
                self._end(planned, "cancelled", reason)
            elif is_released(watch, self._ends):
                due_at = max(self._now, watch.earliest)
                free = replace(planned, due_at=due_at, watch=replace(watch, stands_by=False))
                self._waiting[planned.id] = waiting._replace(planned=free)

    def _end(self, planned: PlannedDelivery, state: str, reason: str = "") -> None:
        self._ends[planned.id] = makes_needless(state, reason)
        self._update_waiting()

    def _register_recipients(self, notification: Notification) -> None:
        who = (notification.app_id, notification.uid)
        if who not in self._facts.recipients:
            person = self._case.people.get(notification.uid, self._case.person)
            self._facts.recipients[who] = person.to_recipient(*who, self._kinds)

    def _send(self, due: _WaitingDelivery) -> None:
        planned, notification, by_itself = due
        self._now = max(self._now, planned.due_at)
        if planned.channel in self._case.refused:
            self._end(planned, "dead")
            return
        recipient = self._facts.recipient(notification.app_id, notification.uid)
        rendered = render(planned, notification, recipient, self._ruleset, notification.accepted_at)
        self.sent.append(
            SentMessage(
                at=self._now,
                uid=notification.uid,
                rule=planned.rule,
                channel=planned.channel,
                to=planned.address,
                priority=planned.priority,
                operation=planned.operation,
                by_itself=by_itself,
                content=rendered.content,
            )
        )
        self._note(due, "delivered")
        self._end(planned, "delivered")
