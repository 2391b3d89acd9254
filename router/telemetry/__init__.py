"""What is seen from outside: log lines and metrics."""

from router.telemetry.event_loop_monitor import report_stalls
from router.telemetry.log_format import LogFormat, configure_logging, name_fault, report_strays
from router.telemetry.metrics import Metrics

__all__ = [
    "LogFormat",
    "Metrics",
    "configure_logging",
    "name_fault",
    "report_stalls",
    "report_strays",
]
