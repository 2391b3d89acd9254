"""A condition taken apart, to reason about two of them without a payload.

The reasoning is sound and not complete: what it says holds, but it does not see everything.
"""

from collections.abc import Hashable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from msgspec import Struct

from router.core.conditions.condition import All, AnyOf, Condition, Not, Test
from router.core.conditions.fields import FIELDS
from router.core.conditions.operators import EQUALITY, Wanted
from router.core.conditions.payload_shapes import SHAPE_FIELDS, ShapeAnalyzer

T = TypeVar("T")
Texts = dict[str, frozenset[Wanted]]
"""By field, the values of which it must have one (or must have none)."""


class ConditionFacts(Struct, frozen=True):
    """What a condition asks for: `parts` must all hold.

    `may` are the situations it can hold in; `asked` and `denied` name the parts that must hold
    and must not; `wanted` and `refused` say the same of single fields. A path may lead to a
    list, which has several values at once: of what is wanted there, one demand is kept.
    """

    may: int
    parts: tuple[Condition, ...]
    asked: frozenset[Hashable]
    denied: frozenset[Hashable]
    wanted: Texts
    refused: Texts


def normalise_condition(condition: Condition, reasoner: ShapeAnalyzer) -> ConditionFacts:
    """Return what a condition asks for."""
    parts = tuple(_flatten(condition))
    wanted: Texts = {}
    refused: Texts = {}
    for part in parts:
        match part:
            case Test(operator=operator, field=field) if operator in EQUALITY:
                values = frozenset(part.values)
                before = wanted.get(field, values)
                wanted[field] = before & values if field in FIELDS else before
            case Not(part=Test(operator=operator, field=field) as test) if operator in EQUALITY:
                refused[field] = refused.get(field, frozenset()) | frozenset(test.values)
    return ConditionFacts(
        may=reasoner.bound(condition).may,
        parts=parts,
        asked=frozenset(name_part(part) for part in parts if not isinstance(part, Not)),
        denied=frozenset(name_part(part.part) for part in parts if isinstance(part, Not)),
        wanted=wanted,
        refused=refused,
    )


def name_part(condition: Condition) -> Hashable:
    """Return what two conditions that say the same have in common."""
    match condition:
        case Test():
            operator = "is" if condition.operator in EQUALITY else condition.operator
            return condition.field, operator, frozenset(condition.values)
        case Not(part=part):
            return "not", name_part(part)
        case All(parts=parts):
            return "all", frozenset(name_part(part) for part in parts)
        case _:
            return "any", frozenset(name_part(part) for part in condition.parts)


def excludes(one: ConditionFacts, other: ConditionFacts) -> bool:
    """Return whether nothing can match both."""
    if not one.may & other.may:
        return True
    if not one.asked.isdisjoint(other.denied) or not one.denied.isdisjoint(other.asked):
        return True
    return _differs(one, other) or _differs(other, one)


def _differs(one: ConditionFacts, other: ConditionFacts) -> bool:
    """Return whether some field that has one value would need two, or one that is refused."""
    for field, values in one.wanted.items():
        if values <= other.refused.get(field, frozenset()):
            return True
        if field in FIELDS and field in other.wanted and values.isdisjoint(other.wanted[field]):
            return True
    return False


class ConditionIndex(Generic[T]):
    """Claims put by, so that those that can meet another are found among many."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._open: list[tuple[ConditionFacts, T]] = []
        self._sorted: dict[str, dict[Wanted, list[tuple[ConditionFacts, T]]]] = {}

    def put(self, claim: ConditionFacts, item: T) -> None:
        """Keep an item under what it asks for."""
        field = next((f for f in claim.wanted if f in FIELDS and f not in SHAPE_FIELDS), None)
        if field is None:
            self._open.append((claim, item))
            return
        tray = self._sorted.setdefault(field, {})
        for value in claim.wanted[field]:
            tray.setdefault(value, []).append((claim, item))

    def meet(self, claim: ConditionFacts) -> Iterator[T]:
        """Give the items that some notification could match as well as this claim."""
        for kept, item in self._open:
            if not excludes(kept, claim):
                yield item
        for field, tray in self._sorted.items():
            values = claim.wanted.get(field, tray)
            for kept, item in chain.from_iterable(tray.get(value, ()) for value in values):
                if not excludes(kept, claim):
                    yield item


def implies(one: ConditionFacts, other: Condition, reasoner: ShapeAnalyzer) -> bool:
    """Return whether whatever matches the one is sure to match the other."""
    return all(_implies_part(one, part, reasoner) for part in _flatten(other))


def _implies_part(one: ConditionFacts, part: Condition, reasoner: ShapeAnalyzer) -> bool:
    if not one.may & ~reasoner.bound(part).must or name_part(part) in one.asked:
        return True
    match part:
        case AnyOf(parts=parts):
            return any(implies(one, alternative, reasoner) for alternative in parts)
        case Test(operator=operator, field=field) if operator in EQUALITY:
            return field in one.wanted and one.wanted[field] <= frozenset(part.values)
        case Not(part=inner):
            return name_part(inner) in one.denied or excludes(
                one, normalise_condition(inner, reasoner)
            )
        case _:
            return False


def _flatten(condition: Condition) -> Iterator[Condition]:
    """Give the parts that must all hold, as small as they get."""
    match condition:
        case All(parts=parts):
            for part in parts:
                yield from _flatten(part)
        case Not(part=Not(part=part)):
            yield from _flatten(part)
        case Not(part=AnyOf(parts=parts)):
            for part in parts:
                yield from _flatten(Not(part))
        case _:
            yield condition
