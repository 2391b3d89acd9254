"""What was accepted, as the rules say it is to be taken."""

from collections.abc import Sequence

import structlog

from router.core.model.notification import Notification, is_ring
from router.core.rules.classify import examine
from router.core.rules.ruleset import Ruleset
from router.telemetry import Metrics

_log = structlog.get_logger(__name__)


def is_incoming_call(notification: Notification, ruleset: Ruleset | None) -> bool:
    """Return whether a call is coming in now, by the rules in force if there are any."""
    taken = notification if ruleset is None else examine(notification, ruleset).notification
    return is_ring(taken)


def classify_all(
    notifications: Sequence[Notification], ruleset: Ruleset, metrics: Metrics | None
) -> Sequence[Notification]:
    """Return the notifications as `classify` says; an entry that fails is logged and counted."""
    if not ruleset.classify:
        return notifications
    return [_classify(notification, ruleset, metrics) for notification in notifications]


def _classify(
    notification: Notification, ruleset: Ruleset, metrics: Metrics | None
) -> Notification:
    result = examine(notification, ruleset)
    if result.fault:
        _log.warning("classification failed", notification=notification.id, error=result.fault)
    if metrics is not None:
        metrics.record_classified(result.mismatches, faulty=bool(result.fault))
    return result.notification
