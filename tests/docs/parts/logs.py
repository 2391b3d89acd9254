"""The log events."""

from collections.abc import Callable, Mapping

from router.telemetry.log_events import FIELDS, LOG_EVENTS
from tests.docs.parts.table import code, table


def _write_events(group: str) -> Callable[[], str]:
    """Return what writes the table of the events of a group, in the order of their phrases."""

    def write() -> str:
        return table(
            ("event", "level", "fields", "meaning", "remedy"),
            (
                (
                    code(event.phrase),
                    event.level,
                    ", ".join(map(code, event.fields)),
                    event.meaning,
                    event.remedy,
                )
                for event in sorted(LOG_EVENTS[group])
            ),
        )

    return write


def write_fields() -> str:
    """Return the table of the fields of all events."""
    return table(
        ("field", "meaning"), ((code(name), meaning) for name, meaning in sorted(FIELDS.items()))
    )


EVENT_TABLES: Mapping[str, Callable[[], str]] = {
    group: _write_events(group) for group in LOG_EVENTS
}
"""What writes the table of each group."""
