"""Deliveries that ended without being delivered: counted, and told in the log."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog

from router.core.model.end_reason import EndReason, classify_end
from router.store.state.endings import EndedDelivery
from router.telemetry import Metrics

MAX_LOG_LINES = 5
"""So many of a kind that end together have a line each; more have one for all."""

_log = structlog.get_logger("router.worker")
_LEVELS = {"dead": logging.WARNING, "expired": logging.WARNING, "cancelled": logging.DEBUG}
"""Levels, not methods of the logger: a method taken at import keeps structlog's own defaults,
and its lines would neither be masked nor have the format and the level that are configured."""


def make_endings_reporter(metrics: Metrics) -> Callable[[Sequence[EndedDelivery]], None]:
    """Return what takes the deliveries that a commit ended, and counts and logs them."""

    def report(ended: Sequence[EndedDelivery]) -> None:
        groups: defaultdict[tuple[str, EndReason, str], list[EndedDelivery]] = defaultdict(list)
        for delivery in ended:
            groups[
                delivery.state, classify_end(delivery.state, delivery.reason), delivery.channel
            ].append(delivery)
        for (state, kind, channel), deliveries in groups.items():
            metrics.record_ended(state, kind, channel, len(deliveries))
            _log_endings(deliveries, state, kind, channel)

    return report


def _log_endings(
    endings: Sequence[EndedDelivery], state: str, kind: EndReason, channel: str
) -> None:
    level = _LEVELS[state]
    if len(endings) > MAX_LOG_LINES:
        fields = {"channel": channel, "state": state, "reason": kind, "count": len(endings)}
        _log.log(level, "deliveries ended", **fields)
        return
    for ending in endings:
        _log.log(
            level,
            "delivery ended",
            notification=ending.delivery.rpartition("-")[0],
            delivery=ending.delivery,
            channel=channel,
            state=state,
            reason=ending.reason,
        )
