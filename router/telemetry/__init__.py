"""What is seen from outside: log lines and metrics."""

from router.telemetry.event_loop_monitor import monitor_event_loop
from router.telemetry.log_format import (
    LogFormat,
    configure_logging,
    describe_exception,
    log_unhandled_errors,
)
from router.telemetry.metrics import Metrics

__all__ = [
    "LogFormat",
    "Metrics",
    "configure_logging",
    "describe_exception",
    "log_unhandled_errors",
    "monitor_event_loop",
]
