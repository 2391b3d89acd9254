"""Call sessions: what is heard of them, when their ring is over, and that it was missed."""

import json
from hashlib import blake2b

from router.core.model.facts import CallEvent, DecisionState
from router.core.model.notification import MAX_CONVERSATION_ID_LENGTH, Notification, is_ring
from router.core.model.payload import scalar

OVER = ("ongoing", "unanswered", "cancelled", "rejected", "busy", "ended")
"""The actions after which nobody's phone need ring: all that are documented but `initiated`."""

MISSED = frozenset({"unanswered", "cancelled"})
"""Those after which a call was missed; of one call, both may come."""

_PERSONAL = frozenset({"ongoing", "rejected", "busy"})
"""Those that in a group concern the one who did it and the recipient alone."""


def session_of(notification: Notification) -> str:
    """Return the id of the call a notification is about; empty where there is none."""
    if notification.kind != "call":
        return ""
    return scalar(notification.details.get("sessionId"))[:MAX_CONVERSATION_ID_LENGTH]


def record_call_event(notification: Notification) -> tuple[CallEvent, ...]:
    """Return what a notification says of a call; an unknown action says nothing."""
    session, details = session_of(notification), notification.details
    if not session:
        return ()
    action = scalar(details.get("callAction"))
    if action not in OVER:
        return ()
    whose = [""]
    if details.get("receiverType") == "group" and action in _PERSONAL:
        sender = scalar(details.get("sender"))
        whose = [uid for uid in dict.fromkeys((sender, notification.uid)) if uid]
    return tuple(CallEvent(notification.app_id, session, uid, action) for uid in whose)


def is_too_late(notification: Notification, facts: DecisionState) -> bool:
    """Return whether a call comes in that is over for the recipient."""
    if not is_ring(notification):
        return False
    session = session_of(notification)
    return bool(session and facts.heard(notification.app_id, session, notification.uid))


def name_missed(notification: Notification, *, for_all: bool = False) -> str:
    """Return what the notices of a missed call share, for the recipient or for all.

    Empty where the notification is of no missed call. Nobody can read in it whose call it was.
    """
    session = session_of(notification)
    if not session or scalar(notification.details.get("callAction")) not in MISSED:
        return ""
    whose = [] if for_all else [notification.uid]
    parts = json.dumps([notification.app_id, session, *whose])
    return f"missed:{blake2b(parts.encode(), digest_size=16).hexdigest()}"
