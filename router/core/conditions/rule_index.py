"""Finds the few rules that can match a notification, among many.

What a payload's situation rules out is left out, and so are tests whose outcome it settles. Of
the rest, a rule that cannot hold unless some field has a value (`receiver: support`), starts or
ends so, matches a pattern, or is there at all is looked up by that field.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from router.core.conditions.condition import (
    ALWAYS,
    All,
    AnyOf,
    Condition,
    ConditionSubject,
    Not,
    Test,
)
from router.core.conditions.payload_shapes import (
    SHAPE_FIELDS,
    ShapeAnalyzer,
    locate,
    number_shapes,
)
from router.core.conditions.rule_index_terms import FieldIndex, IndexTerm, TermSelector, tabulate

T = TypeVar("T")
MAX_UNINDEXED_RULES = 8
"""So many are tried one by one; a look-up costs as much."""


class _SpecialisedRule(Struct, Generic[T], frozen=True):
    """What is left of an item in some situations, which are the bits of `mask`."""

    item: T
    condition: Condition
    mask: int


class _ShapeIndex(Struct, Generic[T], frozen=True):
    """What can match in one situation: all items, or variants always tried and tables of others."""

    bit: int
    items: Sequence[T]
    open: Sequence[int]
    tables: Sequence[FieldIndex]


class RuleIndex(Generic[T]):
    """Items in order, each with the condition it needs.

    `narrow` gives an item the shorter condition that is left of its own in one situation.
    """

    def __init__(
        self, items: Sequence[tuple[Condition, T]], narrow: Callable[[T, Condition], T]
    ) -> None:
        """Find out in which situations each can match, and by what it is found there."""
        self._items = [item for _, item in items]
        reasoner = ShapeAnalyzer()
        self._variants = [
            _SpecialisedRule(narrow(item, left), left, mask)
            for condition, item in items
            for left, mask in _vary(condition, reasoner)
        ]
        selection = TermSelector(variant.condition for variant in self._variants)
        clues = [selection.choose(variant.condition) for variant in self._variants]
        tables = tabulate(clues)
        self._views = {
            situation: self._view(1 << number, clues, tables)
            for situation, number in number_shapes().items()
        }

    def _view(
        self, bit: int, clues: Sequence[Sequence[IndexTerm] | None], tables: Sequence[FieldIndex]
    ) -> _ShapeIndex[T]:
        live = [n for n, variant in enumerate(self._variants) if variant.mask & bit]
        items = [self._variants[n].item for n in live]
        if len(live) <= MAX_UNINDEXED_RULES:
            return _ShapeIndex(bit, items, (), ())
        return _ShapeIndex(
            bit,
            items,
            [n for n in live if clues[n] is None],
            [table for table in tables if not table.every.isdisjoint(live)],
        )

    def find(self, subject: ConditionSubject) -> Sequence[T]:
        """Return the items whose condition may hold, in order; the others' cannot."""
        try:
            view = self._views.get(locate(subject))
        except TypeError:  # a list or mapping where a word belongs
            return self._items
        if view is None:
            return self._items
        if not view.tables:
            return view.items
        positions = set(view.open)
        for table in view.tables:
            value = table.read(subject)
            if value is not None:
                table.collect(value, positions)
        bit, variants = view.bit, self._variants
        return [variants[n].item for n in sorted(positions) if variants[n].mask & bit]


def _vary(condition: Condition, reasoner: ShapeAnalyzer) -> Iterator[tuple[Condition, int]]:
    """Give what is left of a condition in the situations in which it can hold, and those."""
    alike = [reasoner.bound(condition).may]
    for test in _tests(condition):
        mask = reasoner.bound(test).may
        alike = [part for rule in alike for part in (rule & mask, rule & ~mask)]
    masks: dict[Condition, int] = {}
    for mask in filter(None, alike):
        left = narrow(condition, mask & -mask, reasoner)
        masks[left] = masks.get(left, 0) | mask
    yield from masks.items()


def _tests(condition: Condition) -> Iterator[Test]:
    """Give the tests of a condition that a situation settles."""
    match condition:
        case Test():
            if condition.field in SHAPE_FIELDS:
                yield condition
        case Not(part=part):
            yield from _tests(part)
        case _:
            for part in condition.parts:
                yield from _tests(part)


def narrow(condition: Condition, bit: int, reasoner: ShapeAnalyzer) -> Condition:
    """Return what is left of a condition in one situation, in which it can hold."""
    if reasoner.bound(condition).must & bit:
        return ALWAYS
    match condition:
        case All(parts=parts):
            kept = [part for part in parts if not reasoner.bound(part).must & bit]
        case AnyOf(parts=parts):
            kept = [part for part in parts if reasoner.bound(part).may & bit]
        case _:
            return condition
    left = tuple(narrow(part, bit, reasoner) for part in kept)
    if len(left) == 1:
        return left[0]
    return All(left) if isinstance(condition, All) else AnyOf(left)
