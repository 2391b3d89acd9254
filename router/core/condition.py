"""Conditions: what `when` says, as a tree of tests and as one closure over it."""

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field

from router.core.errors import Place
from router.core.facts import Recipient
from router.core.notification import Notification
from router.core.payload import Json

Operator = Literal[
    "is", "in", "exists", "starts_with", "ends_with", "contains", "glob", "matches",
    "gt", "gte", "lt", "lte", "list",
]  # fmt: skip


class Subject(Struct, frozen=True, kw_only=True):
    """What a condition looks at: the notification, its recipient, top-level `vars`, and now.

    `mismatches` collects the names of fields whose value a test found to be of the wrong type.
    """

    notification: Notification
    recipient: Recipient
    vars: Mapping[str, str]
    now: float
    mismatches: list[str] = field(default_factory=list)


class Verdict(Struct, frozen=True, kw_only=True):
    """How one test went, for explain: `held` after any `not` around it; `why` for people."""

    field: str
    place: Place
    held: bool
    why: str


class Test(Struct, frozen=True, kw_only=True):
    """One field against one operator; `values` are alternatives. Compiled into `holds`."""

    field: str
    operator: Operator
    values: tuple[Json, ...]
    place: Place
    holds: Callable[[Subject], bool]
    explain: Callable[[Subject], str]


class All(Struct, frozen=True):
    """Holds when every part does; with no parts it always holds."""

    parts: tuple["Condition", ...] = ()

    def holds(self, subject: Subject) -> bool:
        """Return whether every part holds."""
        return all(part.holds(subject) for part in self.parts)


class AnyOf(Struct, frozen=True):
    """Holds when at least one part does."""

    parts: tuple["Condition", ...]

    def holds(self, subject: Subject) -> bool:
        """Return whether at least one part holds."""
        return any(part.holds(subject) for part in self.parts)


class Not(Struct, frozen=True):
    """Holds when its part does not."""

    part: "Condition"

    def holds(self, subject: Subject) -> bool:
        """Return whether the part does not hold."""
        return not self.part.holds(subject)


Condition = Test | All | AnyOf | Not
ALWAYS = All()


def verdicts(condition: Condition, subject: Subject) -> list[Verdict]:
    """Return how every test in the condition went, in file order."""
    raise NotImplementedError
