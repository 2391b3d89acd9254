"""Deliveries that ended without being delivered: counted, and told in the log."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog

from router.core.model.end_reason import EndReason, classify_end
from router.store.state.endings import Ended
from router.telemetry import Metrics

LINES = 5
"""So many of a kind that end together have a line each; more have one for all."""

_log = structlog.get_logger("router.worker")
_LEVELS = {"dead": logging.WARNING, "expired": logging.WARNING, "cancelled": logging.DEBUG}
"""Levels, not methods of the logger: a method taken at import keeps structlog's own defaults,
and its lines would neither be masked nor have the format and the level that are configured."""


def report_endings(metrics: Metrics) -> Callable[[Sequence[Ended]], None]:
    """Return what takes the deliveries that a commit ended, and counts and logs them."""

    def report(ended: Sequence[Ended]) -> None:
        groups: defaultdict[tuple[str, EndReason, str], list[Ended]] = defaultdict(list)
        for each in ended:
            groups[each.state, classify_end(each.state, each.reason), each.channel].append(each)
        for (state, kind, channel), alike in groups.items():
            metrics.ended(state, kind, channel, len(alike))
            _log_ends(alike, state, kind, channel)

    return report


def _log_ends(alike: Sequence[Ended], state: str, kind: EndReason, channel: str) -> None:
    level = _LEVELS[state]
    if len(alike) > LINES:
        told = {"channel": channel, "state": state, "reason": kind, "count": len(alike)}
        _log.log(level, "deliveries ended", **told)
        return
    for each in alike:
        _log.log(
            level,
            "delivery ended",
            notification=each.delivery.rpartition("-")[0],
            delivery=each.delivery,
            channel=channel,
            state=state,
            reason=each.reason,
        )
