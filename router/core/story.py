"""What the rules make of events over time, on a clock that nobody waits for.

It decides as the router does, and takes the providers to answer at once.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from router.core.case import Case, Event, Sent
from router.core.decision import decide
from router.core.facts import Facts
from router.core.notification import Notification
from router.core.planned import Planned
from router.core.rendering import render
from router.core.ruleset import Ruleset


class Played(Struct, frozen=True, kw_only=True):
    """What went out, in order, and the names of the rules that matched some event."""

    sent: tuple[Sent, ...]
    matched: frozenset[str]


class _Waiting(NamedTuple):
    planned: Planned
    notification: Notification


def play(case: Case, ruleset: Ruleset) -> Played:
    """Return what goes out when the events of a case happen, until nothing waits any more."""
    stage = _Stage(case, ruleset)
    for event in case.events:
        stage.advance(event.at)
        stage.hear(event)
    stage.advance(float("inf"))
    return Played(sent=tuple(stage.sent), matched=frozenset(stage.matched))


class _Stage:
    """The world of one case: what is known, what waits, what went out."""

    def __init__(self, case: Case, ruleset: Ruleset) -> None:
        self.sent: list[Sent] = []
        self.matched: set[str] = set()
        self._case = case
        self._ruleset = ruleset
        self._kinds = frozenset(spec.address_kind for spec in ruleset.channels.values()) - {""}
        self._facts = Facts()
        self._waiting: dict[str, _Waiting] = {}

    def advance(self, until: float) -> None:
        """Let happen what is due until a time."""
        while due := self._next(until):
            del self._waiting[due.planned.id]
            self._send(due)

    def hear(self, event: Event) -> None:
        """Decide on a payload that comes, or remember that it was read."""
        if not event.is_read:
            self._decide(event.notification, event.at)

    def _next(self, until: float) -> _Waiting | None:
        due = (each for each in self._waiting.values() if each.planned.due_at <= until)
        return min(due, key=lambda each: (each.planned.due_at, each.planned.id), default=None)

    def _decide(self, notification: Notification, now: float) -> None:
        self._introduce(notification)
        decision = decide(notification, self._ruleset, self._facts, now)
        self._facts.fold(decision.effects)
        self.matched.update(decision.matched)
        self._keep(decision.deliveries, notification)
        self.advance(now)

    def _introduce(self, notification: Notification) -> None:
        who = (notification.app_id, notification.uid)
        if who not in self._facts.recipients:
            person = self._case.people.get(notification.uid, self._case.person)
            self._facts.recipients[who] = person.appear(*who, self._kinds)

    def _keep(self, planned: Iterable[Planned], notification: Notification) -> None:
        for each in planned:
            if each.state == "waiting":
                self._waiting[each.id] = _Waiting(each, notification)

    def _send(self, due: _Waiting) -> None:
        planned, notification = due
        if planned.channel in self._case.refused:
            return
        recipient = self._facts.recipient(notification.app_id, notification.uid)
        now = max(planned.due_at, notification.accepted_at)
        rendered = render(planned, notification, recipient, self._ruleset, now)
        self.sent.append(
            Sent(
                at=now,
                uid=notification.uid,
                rule=planned.rule,
                channel=planned.channel,
                to=planned.address,
                priority=planned.priority,
                content=rendered.content,
            )
        )
