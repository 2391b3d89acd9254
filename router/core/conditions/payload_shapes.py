"""The situations a payload can be in, as far as a few words tell them apart.

A situation is one combination of feed, kind, type, receiverType, callAction and callType that
CometChat sends. There are about a hundred, so a set of them is the bits of one number, and what
a condition can match is known without any payload.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import cast, get_args

from msgspec import Struct

from router.core.conditions.condition import All, Condition, Not, Test
from router.core.conditions.fields import FIELDS, ConditionSubject
from router.core.conditions.hours import Calendar, Hours
from router.core.conditions.operators import Operator, Wanted
from router.core.model.facts import Recipient
from router.core.model.feed import FEEDS, Feed
from router.core.model.notification import Kind, Notification, is_ring
from router.core.model.payload import Json

WORDS = ("type", "receiverType", "callAction", "callType")
SHAPE_FIELDS = frozenset({"feed", "kind", *WORDS})
"""The fields whose values a situation fixes."""

PayloadShape = tuple[str, str, Json, Json, Json, Json]
"""Feed, kind, type, receiverType, callAction, callType; None where there is none."""


class MayMust(Struct, frozen=True):
    """The situations in which a condition can hold, and those in which it is sure to."""

    may: int
    must: int


def locate(subject: ConditionSubject) -> PayloadShape:
    """Return the situation a subject is in; it may be one CometChat does not document."""
    details = subject.notification.details
    return (
        subject.notification.feed,
        subject.notification.kind,
        details.get("type"),
        details.get("receiverType"),
        details.get("callAction"),
        details.get("callType"),
    )


@cache
def number_shapes() -> dict[PayloadShape, int]:
    """Return the documented situations, each with its number."""
    return {situation: number for number, situation in enumerate(_enumerate())}


def _enumerate() -> Iterator[PayloadShape]:
    receivers = (*FIELDS["receiverType"].values, None)
    actions, calls = (*FIELDS["callAction"].values, None), (*FIELDS["callType"].values, None)
    kinds = [kind for kind in get_args(Kind) if kind not in {"call", "digest"}]
    for feed, form in FEEDS.items():
        if form.is_digest:
            yield feed, "digest", None, None, None, None
            continue
        for receiver, action, call in product(receivers, actions, calls):
            yield feed, "call", "call", receiver, action, call
        for kind, type_, receiver in product(kinds, ("chat", None), receivers):
            yield feed, kind, type_, receiver, None, None


def is_ringing(situation: PayloadShape) -> bool:
    """Return whether a call is coming in."""
    _, kind, _, _, action, _ = situation
    return kind == "call" and action == "initiated"


class ShapeAnalyzer:
    """Tells the bounds of conditions; it remembers what it found out about tests."""

    def __init__(self) -> None:
        """Know nothing yet."""
        situations = number_shapes()
        self.every = (1 << len(situations)) - 1
        self._subjects = [make_subject_of_shape(situation) for situation in situations]
        self.rings = sum(is_ring(s.notification) << n for n, s in enumerate(self._subjects))
        self._known: dict[tuple[str, Operator, tuple[Wanted, ...]], int] = {}

    def bound(self, condition: Condition) -> MayMust:
        """Return the situations in which a condition can hold, and is sure to."""
        match condition:
            case Test():
                return self._bound_test(condition)
            case Not(part=part):
                inner = self.bound(part)
                return MayMust(self.every & ~inner.must, self.every & ~inner.may)
            case All(parts=parts):
                may = must = self.every
                for part in parts:
                    inner = self.bound(part)
                    may, must = may & inner.may, must & inner.must
                return MayMust(may, must)
            case _:
                may = must = 0
                for part in condition.parts:
                    inner = self.bound(part)
                    may, must = may | inner.may, must | inner.must
                return MayMust(may, must)

    def _bound_test(self, test: Test) -> MayMust:
        if test.field not in SHAPE_FIELDS:
            return MayMust(self.every, 0)
        key = (test.field, test.operator, test.values)
        if key not in self._known:
            held = (test.holds(subject) << n for n, subject in enumerate(self._subjects))
            self._known[key] = sum(held)
        return MayMust(self._known[key], self._known[key])


def make_subject_of_shape(situation: PayloadShape) -> ConditionSubject:
    """Return a subject that is in the situation."""
    feed, kind, *words = situation
    details: dict[str, Json] = {
        name: word for name, word in zip(WORDS, words, strict=True) if word is not None
    }
    notification = Notification(
        id="",
        key="",
        event="",
        feed=cast(Feed, feed),
        kind=cast(Kind, kind),
        guessed=False,
        app_id="",
        uid="",
        region="",
        conversation="",
        reply=False,
        mention=False,
        sent_at=None,
        accepted_at=0.0,
        data={},
        details=details,
        call_action=str(details.get("callAction", "")) if kind == "call" else "",
    )
    nobody = Recipient(app_id="", uid="")
    return ConditionSubject(
        notification=notification,
        recipient=nobody,
        vars={},
        now=0.0,
        calendar=Calendar(Hours(), nobody, 0.0),
    )
