"""Call sessions: what is heard of them, when their ring is over, and that it was missed."""

import json
from hashlib import blake2b

from router.core.model.facts import CallEvent, DecisionState
from router.core.model.notification import Notification, is_ring

OVER = ("ongoing", "unanswered", "cancelled", "rejected", "busy", "ended")
"""The actions after which nobody's phone need ring: all that are documented but `initiated`."""

MISSED = frozenset({"unanswered", "cancelled"})
"""Those after which a call was missed; of one call, both may come."""

_PERSONAL = frozenset({"ongoing", "rejected", "busy"})
"""Those that in a group concern the one who did it and the recipient alone."""


def record_call_event(notification: Notification) -> tuple[CallEvent, ...]:
    """Return what a notification says of a call; an unknown action says nothing."""
    session, action = notification.session, notification.call_action
    if not session or action not in OVER:
        return ()
    whose = [""]
    if notification.details.get("receiverType") == "group" and action in _PERSONAL:
        whose = [uid for uid in dict.fromkeys((notification.sender, notification.uid)) if uid]
    return tuple(CallEvent(notification.app_id, session, uid, action) for uid in whose)


def is_too_late(notification: Notification, facts: DecisionState) -> bool:
    """Return whether a call comes in that is over for the recipient."""
    if not is_ring(notification):
        return False
    session = notification.session
    return bool(session and facts.heard(notification.app_id, session, notification.uid))


def name_missed(notification: Notification, *, for_all: bool = False) -> str:
    """Return what the notices of a missed call share, for the recipient or for all.

    Empty where the notification is of no missed call. Nobody can read in it whose call it was.
    """
    session = notification.session
    if not session or notification.call_action not in MISSED:
        return ""
    whose = [] if for_all else [notification.uid]
    parts = json.dumps([notification.app_id, session, *whose])
    return f"missed:{blake2b(parts.encode(), digest_size=16).hexdigest()}"
