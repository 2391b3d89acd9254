"""Events of exceptions that no code handles."""

from typing import Final

from router.telemetry.log_events.event import LogEvent

_REMEDY = "Correct the plugin that the places name. If they name none, report it as a bug."

FAULT_EVENTS: Final = (
    LogEvent(
        "unhandled exception in task",
        "error",
        ("reason", "exception"),
        "A task or a callback of asyncio raised an exception that no code awaits.",
        _REMEDY,
    ),
    LogEvent(
        "unhandled exception in thread",
        "error",
        ("thread", "exception"),
        "A thread ended by an exception.",
        _REMEDY,
    ),
    LogEvent(
        "unraisable exception",
        "error",
        ("exception",),
        "A finalizer raised an exception, which Python cannot pass on.",
        _REMEDY,
    ),
)
