"""Finds the few rules that can match a notification, among many.

What a payload's situation rules out is left out, and so are tests whose outcome it settles. Of
the rest, a rule that asks for a certain value of some field (`receiver: support`) is looked up
by that value.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from router.core.comparison import EQUALITY, Wanted, written
from router.core.condition import ALWAYS, All, AnyOf, Condition, Subject, Test
from router.core.field import Read
from router.core.payload import Json
from router.core.situation import Reasoner, locate, number_situations

T = TypeVar("T")
_Way = tuple[str, Literal["is", "starts_with"]]
"""A field, and how it is looked up."""
FEW = 8
"""So many are tried one by one; a look-up costs as much."""


class _Table(Struct, frozen=True):
    """The positions of those that ask for one of some texts, or starts, in one field.

    `lengths` are those of the starts; none where the whole text counts.
    """

    read: Read
    all: list[int]
    positions: dict[str, list[int]]
    lengths: set[int]


class _Bucket(Struct, Generic[T], frozen=True):
    """What can match in one situation, by position; the `open` ones are always tried."""

    items: dict[int, T]
    open: list[T]
    positions: list[int]
    tables: tuple[_Table, ...] = ()


class Index(Generic[T]):
    """Items in order, each with the condition it needs.

    `narrow` gives an item the shorter condition that is left of its own in one situation.
    """

    def __init__(
        self, items: Sequence[tuple[Condition, T]], narrow: Callable[[T, Condition], T]
    ) -> None:
        """Find out in which situations each can match; the rest is done when it is asked for."""
        self._items = [item for _, item in items]
        self._conditions = [condition for condition, _ in items]
        self._narrow = narrow
        self._reasoner = Reasoner()
        self._may = [self._reasoner.bound(condition).may for condition in self._conditions]
        self._buckets: dict[int, _Bucket[T]] = {}
        self._numbers = number_situations()

    def find(self, subject: Subject) -> Sequence[T]:
        """Return the items whose condition may hold, in order; the others' cannot."""
        try:
            number = self._numbers.get(locate(subject))
        except TypeError:  # a list or mapping where a word belongs
            return self._items
        if number is None:
            return self._items
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = self._fill(number)
        if not bucket.tables:
            return bucket.open
        positions = set(bucket.positions)
        for table in bucket.tables:
            positions.update(_look_up(table, table.read(subject)))
        items = bucket.items
        return [items[position] for position in sorted(positions)]

    def _fill(self, number: int) -> _Bucket[T]:
        bit = 1 << number
        left = {
            position: narrow(self._conditions[position], bit, self._reasoner)
            for position, may in enumerate(self._may)
            if may & bit
        }
        items = {
            position: self._narrow(self._items[position], condition)
            for position, condition in left.items()
        }
        if len(items) <= FEW:
            return _Bucket(items, list(items.values()), list(items))
        undemanding, tables = _sort(left)
        return _Bucket(items, [items[position] for position in undemanding], undemanding, tables)


def narrow(condition: Condition, bit: int, reasoner: Reasoner) -> Condition:
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


def _sort(conditions: Mapping[int, Condition]) -> tuple[list[int], tuple[_Table, ...]]:
    """Return the positions to try always, and tables to look the others up in.

    Each goes where most values are told apart.
    """
    asked = {position: dict(_demands(condition)) for position, condition in conditions.items()}
    told_apart: dict[_Way, set[Wanted]] = defaultdict(set)
    for tests in asked.values():
        for way, test in tests.items():
            told_apart[way].update(test.values)
    undemanding = []
    tables: dict[_Way, _Table] = {}
    for position, tests in asked.items():
        if not tests:
            undemanding.append(position)
            continue
        way = max(tests, key=lambda way: len(told_apart[way]))
        table = tables.setdefault(way, _Table(tests[way].read, [], {}, set()))
        table.all.append(position)
        for value in tests[way].values:
            text = str(value)
            if way[1] == "starts_with":
                text = text.casefold()
                table.lengths.add(len(text))
            table.positions.setdefault(text, []).append(position)
    return undemanding, tuple(tables.values())


def _demands(condition: Condition) -> Iterator[tuple[_Way, Test]]:
    """Give the tests for certain texts without which the condition cannot hold."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _demands(part)
    elif isinstance(condition, Test) and condition.type in {"text", "any"}:
        if condition.operator in EQUALITY:
            yield (condition.field, "is"), condition
        elif condition.operator == "starts_with":
            yield (condition.field, "starts_with"), condition


def _look_up(table: _Table, value: Json) -> Iterable[int]:
    """Return the positions to try, all of them where the value is no single one."""
    if value is None:
        return ()
    text = value if isinstance(value, str) else written(value)
    if text is None:
        return table.all
    if not table.lengths:
        return table.positions.get(text, ())
    folded = text.casefold()
    return chain.from_iterable(table.positions.get(folded[:length], ()) for length in table.lengths)
