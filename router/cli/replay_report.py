"""What a replay found, shown while it is found: text for people, JSON for programs."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct, field
from rich.console import Console
from rich.text import Text

from router.cli.explain_text import duration_text, without_control_characters
from router.cli.storage import clock_time
from router.cli.tables import show_list
from router.core.model.delivery import mask
from router.core.model.notification import Notification
from router.core.simulate.replay import (
    FieldDifference,
    MessageChange,
    PredictedDelivery,
    Value,
    compare,
)

Form = Literal["text", "json"]

_MAX_TEXT_LENGTH = 80
"""Characters that are shown of a text."""

_SIGNS = {"-": "red", "+": "green", "~": "yellow"}


class _ReplayEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notification, with what would go out or how that changes."""

    notification: str
    kind: str
    recipient: str
    app_id: str = field(name="appId")
    accepted_at: float
    deliveries: tuple[PredictedDelivery, ...] | None = None
    changes: tuple[MessageChange, ...] | None = None


class ReplayReport:
    """Shows what is told, and sums it up; of `limit` notifications at most it shows all.

    With `is_difference` it shows changes, and `changed` counts the notifications that have some.
    """

    def __init__(self, form: Form, limit: int | None, *, is_difference: bool) -> None:
        """Have been told nothing."""
        self.console = Console(highlight=False, markup=False, soft_wrap=True)
        self.changed = 0
        self._form = form
        self._limit = limit
        self._is_difference = is_difference
        self._count = 0
        self._shown = 0
        self._totals: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(
        self,
        about: Notification,
        before: Sequence[PredictedDelivery],
        after: Sequence[PredictedDelivery],
    ) -> None:
        """Take what would go out because of a notification; `before` is what it is held against."""
        self._count += 1
        if not self._is_difference:
            for delivery in after:
                self._totals[delivery.rule, delivery.channel]["→"] += 1
            self._show(about, deliveries=tuple(after))
        elif changes := tuple(compare(before, after)):
            self.changed += 1
            for change in changes:
                self._totals[change.rule, change.channel][change.sign] += 1
            self._show(about, changes=changes)

    def begin(self, version: str, against: str) -> None:
        """Say which rules are tried, and which they are held against."""
        if self._form == "json":
            head = {"version": version, "against": against or None}
            self._print(f'{msgspec.json.encode(head).decode()[:-1]},"notifications":[')

    def end(self) -> None:
        """Sum up: by rule and channel, how many messages there are or change."""
        ways = sorted(self._totals.items())
        if self._form == "json":
            summary = {
                "notifications": self._count,
                "changed": self.changed if self._is_difference else None,
                "shown": self._shown,
                "ways": [
                    {"rule": rule, "channel": channel, **self._columns(counts)}
                    for (rule, channel), counts in ways
                ],
            }
            self._print(f'],"summary":{msgspec.json.encode(summary).decode()}}}')
            return
        told = f"{self._count} notification{'' if self._count == 1 else 's'}"
        changed = f", {self.changed} changed" if self._is_difference else ""
        left = (self.changed if self._is_difference else self._count) - self._shown
        self._print(f"{told}{changed}{f', {left} not shown' if left else ''}")
        if ways:
            headings = ("rule", "channel", *self._columns(Counter()))
            rows = (
                (rule, channel, *map(str, self._columns(counts).values()))
                for (rule, channel), counts in ways
            )
            show_list(headings, rows)

    def _columns(self, counts: Counter[str]) -> dict[str, int]:
        if not self._is_difference:
            return {"messages": counts["→"]}
        return {"removed": counts["-"], "added": counts["+"], "altered": counts["~"]}

    def _show(
        self,
        about: Notification,
        deliveries: tuple[PredictedDelivery, ...] | None = None,
        changes: tuple[MessageChange, ...] | None = None,
    ) -> None:
        if self._limit is not None and self._shown >= self._limit:
            return
        self._shown += 1
        entry = _ReplayEntry(
            notification=about.id,
            kind=about.kind,
            recipient=about.uid,
            app_id=about.app_id,
            accepted_at=about.accepted_at,
            deliveries=deliveries and tuple(map(_mask_delivery, deliveries)),
            changes=changes and tuple(map(_mask_delivery, changes)),
        )
        if self._form == "json":
            comma = "," * (self._shown > 1)
            self._print(f"{comma}{msgspec.json.encode(entry).decode()}")
            return
        for line, style in _lines(entry):
            self._print(without_control_characters(line), style)

    def _print(self, line: str, style: str = "") -> None:
        self.console.print(Text(line, style=style))


Aimed = TypeVar("Aimed", PredictedDelivery, MessageChange)


def _mask_delivery(delivery: Aimed) -> Aimed:
    return msgspec.structs.replace(delivery, address=mask(delivery.address))


def _lines(entry: _ReplayEntry) -> Iterator[tuple[str, str]]:
    """Yield lines with their styles."""
    time = clock_time(entry.accepted_at)
    yield f"{time}  {entry.kind} for {entry.recipient}   {entry.notification}", "bold"
    for change in entry.changes or ():
        yield f"  {change.sign} {_destination(change)}   (rule {change.rule})", _SIGNS[change.sign]
        for difference in change.differences:
            yield f"      {_difference(difference)}", ""
    for delivery in entry.deliveries or ():
        words = (
            f"{_value_text('due', delivery.due)}: {_value_text('title', delivery.content.title)}"
        )
        yield f"  → {_destination(delivery)}, {words}   (rule {delivery.rule})", ""
    if entry.deliveries == ():
        yield "  ✗ nothing goes out", ""


def _destination(delivery: PredictedDelivery | MessageChange) -> str:
    where = f"{delivery.channel} to {delivery.address}" if delivery.address else delivery.channel
    return where if delivery.operation == "send" else f"{where} ({delivery.operation})"


def _difference(of: FieldDifference) -> str:
    return f"{of.field} {_value_text(of.field, of.before)} → {_value_text(of.field, of.after)}"


def _value_text(name: str, value: Value) -> str:
    """Return a value as a person reads it: seconds as a duration, a text in quotes."""
    match value:
        case None | "":
            return "nothing"
        case str():
            line = " ".join(value.split())
            return (
                f'"{line}"'
                if len(line) <= _MAX_TEXT_LENGTH
                else f'"{line[: _MAX_TEXT_LENGTH - 1]}…"'
            )
        case _ if name == "due":
            return f"in {duration_text(value)}" if value >= 1 else "now"
        case _ if name == "expires":
            return f"after {duration_text(value)}"
        case _:
            return str(value)
