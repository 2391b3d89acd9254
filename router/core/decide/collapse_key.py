"""The key under which a later message replaces an earlier one at the provider."""

from router.core.model.notification import Notification
from router.core.model.topic import shorten_key
from router.core.rules.ruleset import Collapse


def collapse_key(how: Collapse, notification: Notification, burst: str) -> str:
    """Return the key under which later messages replace a step's message, or an empty text.

    `burst` is the window of the rule's throttle, empty where it is in none.
    """
    match how:
        case "message":
            return notification.topic
        case "throttle":
            return burst or notification.topic
        case "none":
            return ""
        case _:
            if not notification.conversation:
                return notification.topic
            whole = f"conversation:{notification.app_id}:{notification.conversation}"
            return shorten_key("conversation", whole)
