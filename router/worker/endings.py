"""Deliveries that ended without being delivered: counted, and told in the log."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog

from router.core.model.end_reason import EndReason, classify_end
from router.store.state.endings import EndedDelivery
from router.telemetry import Metrics

MAX_LOG_LINES = 5
"""So many of a kind that end together have a line each; more have one for all."""

_log = structlog.get_logger(__name__)


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
    count = len(endings)
    if state == "cancelled":
        if count > MAX_LOG_LINES:
            _log.debug("deliveries cancelled", channel=channel, reason=kind, count=count)
            return
        for ending in endings:
            _log.debug("delivery cancelled", **_log_fields(ending), reason=ending.reason)
    else:
        if count > MAX_LOG_LINES:
            _log.warning(
                "deliveries not delivered", channel=channel, state=state, reason=kind, count=count
            )
            return
        for ending in endings:
            _log.warning(
                "delivery not delivered", **_log_fields(ending), state=state, reason=ending.reason
            )


def _log_fields(ending: EndedDelivery) -> dict[str, str]:
    return {
        "notification": ending.delivery.rpartition("-")[0],
        "delivery": ending.delivery,
        "channel": ending.channel,
    }
