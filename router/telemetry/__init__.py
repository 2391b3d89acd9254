"""What is seen from outside: log lines and metrics."""

from router.telemetry.lines import LogFormat, configure_logging, name_fault, report_strays
from router.telemetry.metrics import Metrics
from router.telemetry.stalls import report_stalls

__all__ = [
    "LogFormat",
    "Metrics",
    "configure_logging",
    "name_fault",
    "report_stalls",
    "report_strays",
]
