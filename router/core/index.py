"""Finds the few rules that can match a notification, among many.

What a payload's situation rules out is left out. Of the rest, a rule that asks for a certain
value of some field (`receiver: support`) is looked up by that value.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from router.core.comparison import EQUALITY, written
from router.core.condition import All, Condition, Subject, Test
from router.core.field import Read
from router.core.payload import Json
from router.core.situation import Reasoner, locate, number_situations

T = TypeVar("T")
FEW = 8
"""So many are tried one by one; a look-up costs as much."""


class _Table(Struct, frozen=True):
    """The positions of those that ask for one of some texts in one field."""

    read: Read
    positions: dict[str, list[int]]
    all: list[int]


class _Bucket(Struct, frozen=True):
    """What can match in one situation: by position, `open` ones always tried."""

    open: list[int]
    tables: tuple[_Table, ...] = ()


class Index(Generic[T]):
    """Items in order, each with the condition it needs."""

    def __init__(self, items: Sequence[tuple[Condition, T]]) -> None:
        """Find out in which situations each can match; the rest is done when it is asked for."""
        reasoner = Reasoner()
        self._items = [item for _, item in items]
        self._conditions = [condition for condition, _ in items]
        self._may = [reasoner.bound(condition).may for condition in self._conditions]
        self._buckets: dict[int, _Bucket] = {}
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
        items = self._items
        if not bucket.tables:
            return [items[position] for position in bucket.open]
        positions = set(bucket.open)
        for table in bucket.tables:
            positions.update(_look_up(table, table.read(subject)))
        return [items[position] for position in sorted(positions)]

    def _fill(self, number: int) -> _Bucket:
        possible = [position for position, may in enumerate(self._may) if may >> number & 1]
        if len(possible) <= FEW:
            return _Bucket(possible)
        asked = {
            position: {test.field: test for test in _demands(self._conditions[position])}
            for position in possible
        }
        distinct = Counter(
            field
            for field, _ in {
                (field, value)
                for tests in asked.values()
                for field, test in tests.items()
                for value in test.values
            }
        )
        tables: dict[str, _Table] = {}
        undemanding = []
        for position, tests in asked.items():
            if not tests:
                undemanding.append(position)
                continue
            test = tests[max(tests, key=lambda field: distinct[field])]
            table = tables.setdefault(test.field, _Table(test.read, {}, []))
            table.all.append(position)
            for value in test.values:
                table.positions.setdefault(str(value), []).append(position)
        return _Bucket(undemanding, tuple(tables.values()))


def _demands(condition: Condition) -> Iterator[Test]:
    """Give the tests for certain texts without which the condition cannot hold."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _demands(part)
    elif (
        isinstance(condition, Test)
        and condition.operator in EQUALITY
        and condition.type in {"text", "any"}
    ):
        yield condition


def _look_up(table: _Table, value: Json) -> Sequence[int]:
    if value is None:
        return ()
    if isinstance(value, str):
        return table.positions.get(value, ())
    text = written(value)
    return table.all if text is None else table.positions.get(text, ())
