"""What rules would have made of notifications that came, and how two rulesets differ in that.

Nothing but what is rehearsed is known of calls, once-keys and throttles, and nothing was read:
so a difference between two rehearsals of the same is the rules' alone.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any, Literal

from msgspec import Struct

from router.core.decide.decide import decide
from router.core.decide.planned import PlannedDelivery
from router.core.decide.render import render
from router.core.decide.retraction import to_prior_delivery
from router.core.model.facts import DecisionState, Recipient
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.core.model.topic import topic_number
from router.core.model.types import Operation, Priority, Privacy
from router.core.rules.classify import classify
from router.core.rules.ruleset import Ruleset

MIN_REMEMBERED = 50_000
"""How many calls, messages, once-keys and throttles' windows are remembered at least."""

Value = str | float | None
"""What is compared: a text, or seconds after the notification was accepted; None if absent."""


class PredictedDelivery(Struct, frozen=True, kw_only=True):
    """A message that would go out; `due` and `expires` in seconds after the acceptance."""

    rule: str
    channel: str
    address: str
    due: float
    expires: float
    priority: Priority
    privacy: Privacy
    collapse: str
    operation: Operation = "send"
    unless: str
    content: Content

    def values(self) -> dict[str, Value]:
        """Return by name what makes a difference to whoever gets it."""
        words = self.content
        return {
            "due": self.due,
            "expires": self.expires,
            "priority": self.priority,
            "privacy": self.privacy,
            "collapse": self.collapse,
            "operation": self.operation,
            "unless": self.unless,
            "title": words.title,
            "body": words.body,
            "link": words.link,
            "image": words.image,
            "sound": words.sound,
            "badge": words.badge,
            **{f"data.{name}": text for name, text in words.data.items()},
        }


class FieldDifference(Struct, frozen=True, kw_only=True):
    """One value of a message that would be another."""

    field: str
    before: Value
    after: Value


class MessageChange(Struct, frozen=True, kw_only=True):
    """A message that would go out no more (`-`), newly (`+`), or otherwise (`~`)."""

    sign: Literal["-", "+", "~"]
    rule: str
    channel: str
    address: str
    operation: Operation = "send"
    differences: tuple[FieldDifference, ...] = ()


class Replay:
    """One ruleset, to which notifications come in the order in which they came."""

    def __init__(self, ruleset: Ruleset, memory: int = MIN_REMEMBERED) -> None:
        """Know nothing yet."""
        self._ruleset = ruleset
        self._memory = memory
        self._facts = DecisionState()

    def predict(self, told: Notification, recipient: Recipient) -> tuple[PredictedDelivery, ...]:
        """Return what would go out because of a notification, decided when it was accepted."""
        ruleset, facts, now = self._ruleset, self._facts, told.accepted_at
        notification = classify(told, ruleset)
        facts.recipients = {(told.app_id, told.uid): recipient}
        decision = decide(notification, ruleset, facts, now)
        facts.apply_changes(decision.effects)
        going = [planned for planned in decision.deliveries if planned.state == "waiting"]
        for planned in going:
            self._note(planned, notification)
        self._forget()
        return tuple(
            _predict(planned, render(planned, notification, recipient, ruleset, now).content, now)
            for planned in going
        )

    def _note(self, planned: PlannedDelivery, notification: Notification) -> None:
        """Take a message to be there at once, for what changes it later."""
        if topic_number(planned.about) is not None:
            channel = self._ruleset.channels[planned.channel]
            named = channel.updates or channel.retracts
            of_subject = self._facts.earlier.setdefault(planned.about, {})
            of_subject[planned.id] = to_prior_delivery(
                planned, notification, "delivered", named=named
            )

    def _forget(self) -> None:
        """Let go of the oldest, many at once: to find the oldest of many costs their number."""
        facts = self._facts
        mappings: tuple[dict[Any, Any], ...] = (
            facts.once,
            facts.calls,
            facts.counters,
            facts.earlier,
        )
        for mapping in mappings:
            if len(mapping) > 2 * self._memory:
                for key in list(islice(mapping, len(mapping) - self._memory)):
                    del mapping[key]


def compare(
    before: Sequence[PredictedDelivery], after: Sequence[PredictedDelivery]
) -> Iterator[MessageChange]:
    """Yield how what goes out changes; which rule sends it makes no difference to anybody.

    Messages over one channel to one address are paired in their order.
    """
    ways: dict[tuple[str, str], tuple[list[PredictedDelivery], list[PredictedDelivery]]] = (
        defaultdict(lambda: ([], []))
    )
    for side, foreseen in enumerate((before, after)):
        for delivery in foreseen:
            ways[delivery.channel, delivery.address][side].append(delivery)
    for old, new in ways.values():
        for was, becomes in zip_longest(old, new):
            yield from _compare(was, becomes)


def _compare(
    was: PredictedDelivery | None, becomes: PredictedDelivery | None
) -> Iterator[MessageChange]:
    if was is None:
        yield from () if becomes is None else (_change("+", becomes),)
    elif becomes is None:
        yield _change("-", was)
    elif differences := tuple(_differ(was.values(), becomes.values())):
        yield _change("~", becomes, differences)


def _change(
    sign: Literal["-", "+", "~"],
    of: PredictedDelivery,
    differences: tuple[FieldDifference, ...] = (),
) -> MessageChange:
    return MessageChange(
        sign=sign,
        rule=of.rule,
        channel=of.channel,
        address=of.address,
        operation=of.operation,
        differences=differences,
    )


def _differ(before: dict[str, Value], after: dict[str, Value]) -> Iterator[FieldDifference]:
    for name in dict.fromkeys((*before, *after)):
        was, becomes = before.get(name), after.get(name)
        if was != becomes:
            yield FieldDifference(field=name, before=was, after=becomes)


def _predict(planned: PlannedDelivery, content: Content, accepted_at: float) -> PredictedDelivery:
    clauses = planned.watch.clauses if planned.watch is not None else ()
    return PredictedDelivery(
        rule=planned.rule,
        channel=planned.channel,
        address=planned.address,
        due=planned.due_at - accepted_at,
        expires=planned.expires_at - accepted_at,
        priority=planned.priority,
        privacy=planned.privacy,
        collapse=planned.collapse,
        operation=planned.operation,
        unless=" or ".join(map(str, clauses)),
        content=content,
    )
