"""How a rule's `throttle` holds a burst back, and what stands for what it held back.

A window is opened by the first notification of a burst and closes `per` later. The first `max`
pass; of the others nothing is sent, or one summary to each place when the window closes. Each of
them plans a summary of its own that takes the place of the one before, so that the last one is
sent and every notification has an end that can be seen.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from router.core.conditions.condition import ConditionSubject
from router.core.decide.timing import StepTiming, schedule
from router.core.model.facts import Cancellation, ThrottleWindow, WaitingSummary, WindowUpdate
from router.core.model.notification import Notification, is_ring
from router.core.model.payload import Json, scalar
from router.core.rules.ruleset import Rule, Ruleset, Step, Throttle

MAX_PEOPLE = 200
"""So many people in a window are told apart."""

_MARK_BYTES = 5
"""Bytes of a person's mark: of 200 in a window two are the same once in 50 million windows."""
_MAX_NAME_LENGTH = 200
"""Characters of a name that are kept."""


class OverLimit(Struct, frozen=True, kw_only=True):
    """What came after the most that a window lets through: the window's key, and its end."""

    windows: "ThrottleWindows"
    key: str
    closes_at: float
    throttle: Throttle


class SummaryTotals(Struct, frozen=True, kw_only=True):
    """What a summary stands for, when it goes out, and the summary whose place it takes.

    `first` opened the window, and `others` is how many other people came after.
    """

    count: int
    first: str
    others: int
    due_at: float
    ending: Cancellation | None


def find_keys(subject: ConditionSubject, ruleset: Ruleset) -> Iterator[str]:
    """Yield the keys of the counters that deciding may look at."""
    if not is_counted(subject.notification):
        return
    for rule in ruleset.candidates(subject):
        if rule.throttle is not None and rule.when.holds(subject):
            key = find_key(rule, rule.throttle, subject)
            yield key
            if not rule.throttle.by_recipient:
                yield _own_key(key, subject.notification)


def find_key(rule: Rule, throttle: Throttle, subject: ConditionSubject) -> str:
    """Return the key of the window that a notification falls in; nothing can be read in it."""
    notification = subject.notification
    parts: list[Json] = [rule.name, notification.app_id]
    parts += [_write(field.read(subject)) for field in throttle.by]
    return _hash([*parts, notification.uid] if throttle.by_recipient else parts)


def is_counted(notification: Notification) -> bool:
    """Return whether throttles heed it: a deletion or the end of a call must not be held back."""
    if notification.kind == "call":
        return is_ring(notification)
    return notification.kind != "delete"


class ThrottleWindows:
    """The windows as one decision finds and moves them."""

    def __init__(self, subject: ConditionSubject, counters: Mapping[str, ThrottleWindow]) -> None:
        """Look at the counters; they stay as they are."""
        self._subject = subject
        self._counters = counters
        self._moved: dict[str, ThrottleWindow] = {}

    def admit(self, rule: Rule, throttle: Throttle) -> OverLimit | None:
        """Let a notification through and count it, or return what it is too much for."""
        notification = self._subject.notification
        if not is_counted(notification):
            return None
        key = find_key(rule, throttle, self._subject)
        window = self._open(key, self._subject.now + throttle.per)
        if notification.event in window.events:
            return None  # the same event, for another recipient
        if window.count >= throttle.max:
            return OverLimit(windows=self, key=key, closes_at=window.closes_at, throttle=throttle)
        events = () if throttle.by_recipient else (*window.events, notification.event)
        self._moved[key] = opened = replace(window, count=window.count + 1, events=events)
        if throttle.summary is not None:
            first = opened.first or _name_sender(notification)
            people = _join(opened.people, notification)
            self._moved[key] = replace(opened, first=first, people=people)
        return None

    def find_burst(self, rule: Rule, throttle: Throttle) -> str:
        """Return what tells the window of a notification from all others, empty for none."""
        if not is_counted(self._subject.notification):
            return ""
        key = find_key(rule, throttle, self._subject)
        return burst_key(key, self._open(key, self._subject.now + throttle.per).closes_at)

    def summarize(
        self, overflow: OverLimit, place: tuple[int, str, str, str], delivery: str, due_at: float
    ) -> SummaryTotals:
        """Let a delivery stand for what was held back so far from a place, and return how much.

        A place is a step with its channel, contact and address. `due_at` is when the summary
        goes out, unless there is one already that says when.
        """
        key = overflow.key
        if not overflow.throttle.by_recipient and place[2]:
            key = _own_key(key, self._subject.notification)
        window = self._open(overflow.key, overflow.closes_at)
        counter = self._open(key, overflow.closes_at)
        slot = _hash(list(place))
        before = next((summary for summary in counter.summaries if summary.slot == slot), None)
        others = tuple(each for each in counter.summaries if each is not before)
        after = WaitingSummary(
            slot=slot,
            delivery=delivery,
            count=before.count + 1 if before else 1,
            due_at=before.due_at if before else due_at,
            people=_join(before.people if before else (), self._subject.notification),
        )
        self._moved[key] = replace(counter, count=counter.count + 1, summaries=(*others, after))
        ending = None
        if before is not None:
            reason = f"summary: {delivery}"
            ending = Cancellation(delivery=before.delivery, state="suppressed", reason=reason)
        people = {*window.people, *after.people}
        return SummaryTotals(
            count=after.count,
            first=window.first,
            others=max(0, min(len(people), MAX_PEOPLE) - 1),
            due_at=after.due_at,
            ending=ending,
        )

    @property
    def window_updates(self) -> tuple[WindowUpdate, ...]:
        """What changed."""
        return tuple(
            WindowUpdate(key=key, before=self._counters.get(key), after=after)
            for key, after in self._moved.items()
        )

    def _open(self, key: str, closes_at: float) -> ThrottleWindow:
        """Return the window of a key, a new one that closes then if it has closed."""
        window = self._moved.get(key) or self._counters.get(key)
        if window is None or window.closes_at <= self._subject.now:
            return ThrottleWindow(closes_at=closes_at)
        return window


def schedule_summary(step: Step, subject: ConditionSubject, overflow: OverLimit) -> StepTiming:
    """Return when a step's summary goes out: as what happens when the window closes would."""
    closes_at = overflow.closes_at
    notification = replace(subject.notification, sent_at=None, accepted_at=closes_at)
    return schedule(step, replace(subject, notification=notification, now=closes_at))


def summary_key(key: str) -> str:
    """Return what the summaries of a window are about: the same for all of them."""
    return f"summary:{key}"


def burst_key(key: str, closes_at: float) -> str:
    """Return what everything in one window is about: what is let through, and its summary."""
    return f"burst:{_hash([key, closes_at])}"


def _join(people: tuple[str, ...], notification: Notification) -> tuple[str, ...]:
    """Return the marks of some people and of whoever sent a notification, each once."""
    sender = notification.sender
    if not sender or len(people) >= MAX_PEOPLE:
        return people
    mark = blake2b(sender.encode(), digest_size=_MARK_BYTES).hexdigest()
    return people if mark in people else (*people, mark)


def _name_sender(notification: Notification) -> str:
    """Return the name of whoever sent a notification, the uid where none is told."""
    details = notification.details
    name = scalar(details.get("senderName")) or scalar(details.get("sender"))
    return (name or _read_sender(notification, "name"))[:_MAX_NAME_LENGTH]


def _read_sender(notification: Notification, key: str) -> str:
    """Return what a digest tells of its sender."""
    sender = notification.data.get("senderDetails")
    return scalar(sender.get(key)) if isinstance(sender, dict) else ""


def _own_key(key: str, notification: Notification) -> str:
    """Return the key of a recipient's own summaries of a window that many share."""
    return _hash([key, notification.uid])


def _write(value: Json) -> Json:
    """Return a value of which a number and the text that says it are the same."""
    return scalar(value) if isinstance(value, str | int | float) else value


def _hash(parts: list[Json]) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
