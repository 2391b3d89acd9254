"""The catalogue of log events: each with its phrase, level, fields, meaning and remedy.

A test compares the catalogue with every logging call of the router and of its plugins, and
`docs/reference/logs.md` is written from it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from router.telemetry.log_events.database import DATABASE_EVENTS
from router.telemetry.log_events.deliveries import DELIVERY_EVENTS, HOLD_EVENTS
from router.telemetry.log_events.event import FIELDS, LogEvent
from router.telemetry.log_events.faults import FAULT_EVENTS
from router.telemetry.log_events.payloads import PAYLOAD_EVENTS
from router.telemetry.log_events.rules import RULES_EVENTS
from router.telemetry.log_events.server import SERVER_EVENTS

LOG_EVENTS: Final[Mapping[str, Sequence[LogEvent]]] = {
    "server": SERVER_EVENTS,
    "rules": RULES_EVENTS,
    "payloads": PAYLOAD_EVENTS,
    "deliveries": DELIVERY_EVENTS,
    "holds": HOLD_EVENTS,
    "database": DATABASE_EVENTS,
    "faults": FAULT_EVENTS,
}
"""Every event that the router logs, by the part of the work it belongs to."""

__all__ = ["FIELDS", "LOG_EVENTS", "LogEvent"]
