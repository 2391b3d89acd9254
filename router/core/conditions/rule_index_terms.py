"""Looks conditions up by the values of fields without which they cannot hold."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct, field

from router.core.conditions.condition import All, AnyOf, Condition, Test
from router.core.conditions.fields import Read
from router.core.conditions.operators import EQUALITY, Operator, written
from router.core.conditions.regex import PatternSet, quote, translate
from router.core.model.payload import Json

MAX_CACHED_TEXTS = 256
"""Texts of a field whose conditions are not looked up again: what is said to a group comes once
for each of its members, from the same sender."""

MAX_CACHED_LENGTH = 500
"""Characters of the longest text that is remembered."""

MatchMode = Literal["whole", "start", "end", "pattern", "folded", "present"]
"""How a text is looked up: as it is, by its start or end, by patterns that match it as it is or
case-folded, or by being there."""


class IndexTerm(Struct, frozen=True):
    """A field and what it must be one of; of one that need only be there, nothing."""

    field: str
    read: Read
    way: MatchMode
    values: tuple[str, ...]


class TermSelector:
    """Chooses by which clues each of some conditions is found: those that tell most apart."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        """Count by how many values each field tells the conditions apart."""
        seen = {
            (clue.field, clue.way, value)
            for condition in conditions
            for clue in _index_terms(condition)
            for value in clue.values
        }
        self._told_apart = Counter((name, mode) for name, mode, _ in seen)

    def choose(self, condition: Condition) -> Sequence[IndexTerm] | None:
        """Return clues at least one of which is there whenever the condition holds.

        None where there are no such clues, as of a `not`: it may hold of what is absent.
        """
        match condition:
            case Test():
                clue = _index_term(condition)
                return None if clue is None else [clue]
            case All(parts=parts):
                chosen = [term for part in parts if (term := self.choose(part)) is not None]
                return max(chosen, key=self._worth) if chosen else None
            case AnyOf(parts=parts):
                united: list[IndexTerm] = []
                for part in parts:
                    term = self.choose(part)
                    if term is None:
                        return None
                    united += term
                return united
            case _:
                return None

    def _worth(self, clues: Sequence[IndexTerm]) -> int:
        """Return by how many values the weakest of the clues tells conditions apart."""
        return min(self._told_apart[clue.field, clue.way] for clue in clues)


def _index_terms(condition: Condition) -> Iterator[IndexTerm]:
    match condition:
        case Test():
            if clue := _index_term(condition):
                yield clue
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _index_terms(part)


def _index_term(test: Test) -> IndexTerm | None:
    """Return what a field must be for a test of it to hold, None where it may be absent."""
    if test.operator == "exists":
        return None if False in test.values else IndexTerm(test.field, test.read, "present", ())
    if test.type not in {"text", "word", "any"} or test.operator not in _WAYS:
        return IndexTerm(test.field, test.read, "present", ())
    mode, write = _WAYS[test.operator]
    return IndexTerm(test.field, test.read, mode, tuple(write(str(want)) for want in test.values))


_WAYS: Mapping[Operator, tuple[MatchMode, Callable[[str], str]]] = {
    **dict.fromkeys(EQUALITY, ("whole", str)),
    "starts_with": ("start", str.casefold),
    "ends_with": ("end", str.casefold),
    "contains": ("folded", lambda text: quote(text.casefold())),
    "glob": ("folded", lambda text: rf"\A(?:{translate(text.casefold())})\z"),
    "matches": ("pattern", str),
}
"""How the operators that compare texts are looked up, and by what text."""


class _TextIndex(Struct):
    """Numbers by the texts that lead to them, and how long those are."""

    numbers: dict[str, list[int]] = field(default_factory=dict)
    lengths: set[int] = field(default_factory=set)

    def add(self, text: str, number: int) -> None:
        """Let a text lead to a number."""
        self.numbers.setdefault(text, []).append(number)
        self.lengths.add(len(text))


class _PatternIndex:
    """Numbers by the patterns that lead to them."""

    def __init__(self, texts: _TextIndex) -> None:
        self._set = PatternSet(texts.numbers)
        self._numbers: list[Sequence[int]] = [(), *texts.numbers.values()]

    def collect(self, text: str, positions: set[int]) -> None:
        """Add the numbers that a text leads to; all of them where it cannot be told."""
        matching = self._set.find(text)
        for number in range(len(self._numbers)) if matching is None else matching:
            positions.update(self._numbers[number])


class FieldIndex:
    """The numbers of conditions found by one field; `every` are all of them."""

    def __init__(self, clues: Sequence[tuple[int, IndexTerm]]) -> None:
        """Sort the clues, which are all of one field, by how they are looked up."""
        self.read = clues[0][1].read
        self.every = {number for number, _ in clues}
        self._present = {number for number, clue in clues if clue.way == "present"}
        by: dict[MatchMode, _TextIndex] = {}
        for number, clue in clues:
            for value in clue.values:
                by.setdefault(clue.way, _TextIndex()).add(value, number)
        self._whole = by.get("whole", _TextIndex()).numbers
        self._starts, self._ends = by.get("start"), by.get("end")
        self._patterns = _PatternIndex(by["pattern"]) if "pattern" in by else None
        self._folded = _PatternIndex(by["folded"]) if "folded" in by else None
        self._folds = not by.keys().isdisjoint({"start", "end", "folded"})
        self._remember = lru_cache(MAX_CACHED_TEXTS)(self._find)

    def collect(self, value: Json, positions: set[int]) -> None:
        """Add those that may hold of a value; all of them where it is no single one."""
        text = value if isinstance(value, str) else written(value)
        if text is None:
            positions.update(self.every)
        else:
            positions.update(
                (self._remember if len(text) <= MAX_CACHED_LENGTH else self._find)(text)
            )

    def _find(self, text: str) -> set[int]:
        positions = set(self._present)
        positions.update(self._whole.get(text, ()))
        if self._patterns is not None:
            self._patterns.collect(text, positions)
        if self._folds:
            self._collect_folded(text.casefold(), positions)
        return positions

    def _collect_folded(self, text: str, positions: set[int]) -> None:
        if self._folded is not None:
            self._folded.collect(text, positions)
        if self._starts is not None:
            for length in self._starts.lengths:
                positions.update(self._starts.numbers.get(text[:length], ()))
        if self._ends is not None:
            for length in self._ends.lengths:
                positions.update(self._ends.numbers.get(text[max(0, len(text) - length) :], ()))


def tabulate(clues: Iterable[Collection[IndexTerm] | None]) -> list[FieldIndex]:
    """Return a table for each field by which some condition is found.

    The clues are each condition's; its number is its position.
    """
    by_field: dict[str, list[tuple[int, IndexTerm]]] = {}
    for number, own in enumerate(clues):
        for clue in own or ():
            by_field.setdefault(clue.field, []).append((number, clue))
    return [FieldIndex(of_field) for of_field in by_field.values()]
