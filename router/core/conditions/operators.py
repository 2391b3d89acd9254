"""How an operator compares a field with the values a rule wants.

One law for all: an absent or null value matches nothing, a list matches if any of its items
does, and a value of the wrong type matches nothing and is noted.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple, TypeVar

from router.core.conditions.fields import ConditionSubject, Field, FieldType
from router.core.conditions.regex import compile_pattern, translate
from router.core.model.notification import read_time
from router.core.model.payload import Json

# not a word to a line, which would take a page
Operator = Literal[
    "is", "in", "exists", "starts_with", "ends_with", "contains", "glob", "matches",
    "gt", "gte", "lt", "lte", "list",
]  # fmt: skip
Wanted = str | bool | int | float
"""A value of the file, converted for its field: times in epoch seconds, durations in seconds."""
Holds = Callable[[ConditionSubject], bool]

EQUALITY = frozenset[Operator]({"is", "in", "list"})
ORDER = frozenset[Operator]({"gt", "gte", "lt", "lte"})
TEXTUAL = frozenset[Operator]({"starts_with", "ends_with", "contains", "glob", "matches"})
OPERATORS: dict[FieldType, frozenset[Operator]] = {
    "text": EQUALITY | TEXTUAL | {"exists"},
    "word": EQUALITY | TEXTUAL | {"exists"},
    "number": EQUALITY | ORDER | {"exists"},
    "time": EQUALITY | ORDER | {"exists"},
    "duration": ORDER | {"exists"},
    "real": EQUALITY | ORDER | {"exists"},
    "truth": EQUALITY | {"exists"},
    "any": EQUALITY | TEXTUAL | ORDER | {"exists"},
    "hours": frozenset({"is", "in"}),
}
"""Which operators a field of a type takes."""


class OperatorText(NamedTuple):
    """The words for an operator: its meaning in the reference, and how an explanation begins."""

    meaning: str
    phrase: str = ""


OPERATOR_TEXTS: dict[Operator, OperatorText] = {
    "is": OperatorText("is this, or one of these; case counts"),
    "in": OperatorText("is one of these; case counts"),
    "exists": OperatorText("is there and not null (`true`), or is not (`false`)"),
    "starts_with": OperatorText("starts with one of these", "a text that starts with "),
    "ends_with": OperatorText("ends with one of these", "a text that ends with "),
    "contains": OperatorText("contains one of these", "a text that contains "),
    "glob": OperatorText(
        "is like one of these; `*` is any run of characters, `?` any one", "a text like "
    ),
    "matches": OperatorText(
        "has a part that matches one of these regular expressions (RE2); case counts",
        "a match of ",
    ),
    "gt": OperatorText("is more than", "more than "),
    "gte": OperatorText("is at least", "at least "),
    "lt": OperatorText("is less than", "less than "),
    "lte": OperatorText("is at most", "at most "),
    "list": OperatorText("is in the list of this name; case counts"),
}

T = TypeVar("T")
_TEXTS = frozenset[FieldType]({"text", "word", "any", "hours"})

_WHOLE = re.compile(r"[-+]?[0-9]{1,20}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?")


def compile_test(field: Field, operator: Operator, wanted: Collection[Wanted]) -> Holds:
    """Return whether a subject's field compares so with at least one of the values.

    Raises `re2.error` for a pattern that is no regular expression.
    """
    if operator == "exists":
        return _compile_exists(field, wanted)
    if operator in ORDER or field.type not in _TEXTS:
        numbers = [want for want in wanted if not isinstance(want, str)]
        return _compile(field, _NUMBERS[field.type], compare_numbers(operator, numbers))
    texts = [str(want) for want in wanted]
    if operator in EQUALITY:
        return _compile_texts(field, frozenset(texts).__contains__)
    return _compile_texts(field, compare_texts(operator, texts))


def written(value: Json) -> str | None:
    """Return a single value as it is written, None for what is no single value."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return None


def whole(value: Json) -> int | None:
    """Return a whole number given as number or text, None for what is none."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Json) -> int | float | None:
    """Return a number given as number or text, None for what is none."""
    if isinstance(value, str):
        return whole(value) if _WHOLE.fullmatch(value) else _real(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _real(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def truth(value: Json) -> bool | None:
    """Return a truth value, None for what is none."""
    return value if isinstance(value, bool) else None


_NUMBERS: dict[FieldType, Callable[[Json], int | float | None]] = {
    "number": whole,
    "time": read_time,
    "duration": number,
    "real": number,
    "truth": truth,
    "any": number,
}


def _compile_exists(field: Field, wanted: Collection[Wanted]) -> Holds:
    read, outcomes = field.read, frozenset(wanted)

    def holds(subject: ConditionSubject) -> bool:
        return (read(subject) is not None) in outcomes

    return holds


def _compile_texts(field: Field, accepts: Callable[[str], bool]) -> Holds:
    """Return the test of a text, short where the value is one, as it nearly always is."""
    read = field.read
    otherwise = _compile(field, written, accepts)

    def holds(subject: ConditionSubject) -> bool:
        value = read(subject)
        return accepts(value) if isinstance(value, str) else otherwise(subject)

    return holds


def _compile(
    field: Field, convert: Callable[[Json], T | None], accepts: Callable[[T], bool]
) -> Holds:
    read, name = field.read, field.name

    def holds(subject: ConditionSubject) -> bool:
        return compare(read(subject), subject)

    def compare(value: Json, subject: ConditionSubject) -> bool:
        if value is None:
            return False
        if isinstance(value, list):
            held = [compare(item, subject) for item in value]
            return True in held
        converted = convert(value)
        if converted is None:
            subject.mismatches.append(name)
            return False
        return accepts(converted)

    return holds


def compare_texts(operator: Operator, wanted: Sequence[str]) -> Callable[[str], bool]:
    """Return whether a text compares so with at least one of the texts.

    All but `matches` ignore case. A glob covers the whole text, a pattern any part of it.
    """
    if operator == "starts_with":
        starts = tuple(want.casefold() for want in wanted)
        return lambda text: text.casefold().startswith(starts)
    if operator == "ends_with":
        ends = tuple(want.casefold() for want in wanted)
        return lambda text: text.casefold().endswith(ends)
    return _compare_any([_compare_text(operator, want) for want in wanted])


def _compare_any(accept: Sequence[Callable[[str], bool]]) -> Callable[[str], bool]:
    if len(accept) == 1:
        return accept[0]
    return lambda text: any(accepts(text) for accepts in accept)


def _compare_text(operator: Operator, want: str) -> Callable[[str], bool]:
    folded = want.casefold()
    match operator:
        case "contains":
            return lambda text: folded in text.casefold()
        case "glob":
            return _compare_glob(folded)
        case _:
            pattern = compile_pattern(want)
            return lambda text: pattern.search(text) is not None


def compare_numbers(
    operator: Operator, wanted: Sequence[int | float]
) -> Callable[[int | float], bool]:
    """Return whether a number compares so with at least one of the numbers."""
    if operator in EQUALITY:
        return frozenset(wanted).__contains__
    least, most = min(wanted), max(wanted)
    match operator:
        case "gt":
            return lambda value: value > least
        case "gte":
            return lambda value: value >= least
        case "lt":
            return lambda value: value < most
        case _:
            return lambda value: value <= most


def _compare_glob(glob: str) -> Callable[[str], bool]:
    """Return whether a text is like one in which `*` is any run, `?` any one character."""
    if "?" in glob or "*" not in glob:
        pattern = compile_pattern(translate(glob))
        return lambda text: pattern.fullmatch(text.casefold()) is not None
    start, *between, end = glob.split("*")

    def accepts(text: str) -> bool:
        folded = text.casefold()
        position, last = len(start), len(folded) - len(end)
        if position > last or not folded.startswith(start) or not folded.endswith(end):
            return False
        for part in between:
            found = folded.find(part, position, last)
            if found < 0:
                return False
            position = found + len(part)
        return True

    return accepts
