"""Conditions: what `when` says, as a tree of tests, and how each test went."""

from collections.abc import Iterator

from msgspec import Struct

from router.core.conditions.fields import ConditionSubject, FieldType, Read
from router.core.conditions.operators import EQUALITY, Holds, Operator, Wanted, written
from router.core.errors import Place
from router.core.model.payload import Json

__all__ = [
    "ALWAYS",
    "All",
    "AnyOf",
    "Condition",
    "ConditionSubject",
    "Not",
    "Test",
    "TestResult",
    "name_fields",
    "verdicts",
]

_MAX_SHOWN_LENGTH = 60
_MAX_SHOWN_ITEMS = 5
_NO_SUCH: dict[FieldType, str] = {
    "text": "no text",
    "word": "no text",
    "number": "no whole number",
    "time": "no time",
    "duration": "no duration",
    "real": "no number",
    "truth": "neither true nor false",
    "any": "not to be compared",
    "hours": "no hours",
}


class TestResult(Struct, frozen=True, kw_only=True):
    """How one test went, for explain: `held` after any `not` around it; `why` for people."""

    field: str
    place: Place
    held: bool
    why: str


class Test(Struct, frozen=True, kw_only=True):
    """One field against one operator; `values` are alternatives, `wants` says them in words.

    `type` is the field's, `read` gives its value, `holds` compares.
    """

    field: str
    type: FieldType
    operator: Operator
    values: tuple[Wanted, ...]
    wants: str
    place: Place
    read: Read
    holds: Holds


class All(Struct, frozen=True):
    """Holds when every part does; with no parts it always holds."""

    parts: tuple["Condition", ...] = ()

    def holds(self, subject: ConditionSubject) -> bool:
        """Return whether every part holds."""
        for part in self.parts:  # noqa: SIM110 - a generator costs twice as much here
            if not part.holds(subject):
                return False
        return True


class AnyOf(Struct, frozen=True):
    """Holds when at least one part does."""

    parts: tuple["Condition", ...]

    def holds(self, subject: ConditionSubject) -> bool:
        """Return whether at least one part holds."""
        for part in self.parts:  # noqa: SIM110 - a generator costs twice as much here
            if part.holds(subject):
                return True
        return False


class Not(Struct, frozen=True):
    """Holds when its part does not."""

    part: "Condition"

    def holds(self, subject: ConditionSubject) -> bool:
        """Return whether the part does not hold."""
        return not self.part.holds(subject)


Condition = Test | All | AnyOf | Not
ALWAYS = All()


def name_fields(condition: Condition) -> Iterator[str]:
    """Yield the names of the fields that a condition looks at."""
    match condition:
        case Test():
            yield condition.field
        case Not(part=part):
            yield from name_fields(part)
        case _:
            for part in condition.parts:
                yield from name_fields(part)


def verdicts(condition: Condition, subject: ConditionSubject) -> list[TestResult]:
    """Return how every test in the condition went, in file order."""
    return list(_explain_condition(condition, subject, negated=False))


def _explain_condition(
    condition: Condition, subject: ConditionSubject, *, negated: bool
) -> Iterator[TestResult]:
    match condition:
        case Test():
            yield _explain_test(condition, subject, negated=negated)
        case Not(part=part):
            yield from _explain_condition(part, subject, negated=not negated)
        case _:
            for part in condition.parts:
                yield from _explain_condition(part, subject, negated=negated)


def _explain_test(test: Test, subject: ConditionSubject, *, negated: bool) -> TestResult:
    before = len(subject.mismatches)
    held = test.holds(subject) is not negated
    why = f"{test.field} is {_show(test.read(subject), test.type)}"
    if len(subject.mismatches) > before:
        why += f", which is {_NO_SUCH[test.type]}"
    if not held:
        why += f", wants {'not ' * negated}{test.wants}"
    elif test.operator not in EQUALITY and test.operator != "exists":
        why += f", {'not ' * negated}{test.wants}"
    return TestResult(field=test.field, place=test.place, held=held, why=why)


def _show(value: Json, type: FieldType = "any") -> str:  # noqa: A002 - a field's type
    match value:
        case None:
            return "absent"
        case str():
            return f'"{value[:_MAX_SHOWN_LENGTH]}{"…" * (len(value) > _MAX_SHOWN_LENGTH)}"'
        case list():
            shown = ", ".join(_show(item) for item in value[:_MAX_SHOWN_ITEMS])
            return f"[{shown}{', …' * (len(value) > _MAX_SHOWN_ITEMS)}]"
        case dict():
            return "a mapping"
        case float() if type == "duration":
            return f"{value:.0f}s"
        case _:
            return str(written(value))
