"""`timezone` and `hours`: hours of the day that have a name."""

import re
from collections.abc import Mapping
from datetime import tzinfo

from router.core.conditions.hours import DAYS, MINUTES_OF_DAY, Window, Zones
from router.core.errors import suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.scope import FileScope
from router.core.loading.section import Section
from router.core.loading.yaml_nodes import MappingNode, ScalarNode, SequenceNode

_RECIPIENT = "recipient"
_KEYS = ("from", "to", "days", "timezone")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


def read_zone(
    section: Section, report: Diagnostics, zones: Zones, default: tzinfo, *words: str
) -> tzinfo:
    """Return the zone that `timezone` names, the default where it names none.

    `words` are what could stand there in place of a zone.
    """
    name = section.text("timezone")
    if name is None:
        return default
    zone = zones.zone(name)
    if zone is None:
        hint = suggest(name, [*words, *zones.names]) or "write a name such as Europe/Berlin"
        report.error(section.node.entries["timezone"].value, f'unknown time zone "{name}"', hint)
    return zone or default


def read_hours(
    section: Section, report: Diagnostics, zones: Zones, zone: tzinfo
) -> Mapping[str, Window | None]:
    """Return the windows by name, None for one that is wrong; `zone` is the file's."""
    windows: dict[str, Window | None] = {}
    for name, entry in section.entries("hours").items():
        windows[name] = None
        if not _NAME.fullmatch(name):
            hint = "use at most 64 letters, digits, _ . or -"
            report.error(entry.key, f'"{name}" cannot be the name of hours', hint)
        elif isinstance(entry.value, MappingNode):
            part = Section(entry.value, report, what="hours", keys=_KEYS)
            windows[name] = _read_window(
                entry.key, part, report, _read_own_zone(part, report, zones, zone)
            )
        else:
            hint = 'write {from: "22:00", to: "07:00"}'
            report.error(entry.value, f"hours {name} must be a mapping", hint)
    return windows


def warn_of_idle_hours(section: Section, scope: FileScope) -> None:
    """Report the hours that nothing names."""
    for name, entry in section.entries("hours").items():
        if name not in scope.used_hours:
            scope.report.warn(entry.key, f"nothing uses the hours {name}", "remove them")


def _read_window(
    key: ScalarNode, part: Section, report: Diagnostics, zone: tzinfo | None
) -> Window | None:
    opens, closes = _read_time(part, "from", report), _read_time(part, "to", report)
    days = _read_days(part, report)
    if opens is None or closes is None:
        return None
    return Window(
        name=key.text,
        place=key.place,
        opens=opens,
        closes=closes if closes > opens else closes + MINUTES_OF_DAY,
        days=days,
        zone=zone,
    )


def _read_own_zone(part: Section, report: Diagnostics, zones: Zones, zone: tzinfo) -> tzinfo | None:
    """Return whose clock counts, None for that of the recipient."""
    node = part.node.entries.get("timezone")
    if node is not None and isinstance(node.value, ScalarNode) and node.value.text == _RECIPIENT:
        return None
    return read_zone(part, report, zones, zone, _RECIPIENT)


def _read_time(part: Section, key: str, report: Diagnostics) -> int | None:
    """Return the minutes of a time of the day."""
    if key not in part:
        hint = f'write {key}: "22:00"'
        report.error(part.node, f'hours need "{key}"', hint)
    text = part.text(key)
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    minutes = int(match[1]) * 60 + int(match[2]) if match else MINUTES_OF_DAY + 1
    if minutes > MINUTES_OF_DAY or (key == "from" and minutes == MINUTES_OF_DAY):
        latest = "23:59" if key == "from" else "24:00"
        node = part.node.entries[key].value
        report.error(node, f'"{text}" is not a time of day', f"write 00:00 to {latest}")
        return None
    return minutes


def _read_days(part: Section, report: Diagnostics) -> frozenset[int]:
    nodes = part.texts("days")
    if nodes is None:
        return frozenset(range(len(DAYS)))
    for node in nodes:
        if node.text not in DAYS:
            hint = suggest(node.text, DAYS) or f"known are {', '.join(DAYS)}"
            report.error(node, f'unknown day "{node.text}"', hint)
    listed = part.node.entries["days"].value
    if isinstance(listed, SequenceNode) and not listed.items:
        report.error(part.key("days"), "there are no days", "leave it out for every day")
    return frozenset(DAYS.index(node.text) for node in nodes if node.text in DAYS)
