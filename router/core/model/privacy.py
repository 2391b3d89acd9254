"""What a private message keeps back."""

from msgspec import structs

from router.core.model.notification import Notification
from router.core.model.payload import prune
from router.core.model.types import Privacy

# not a word to a line, which would take a page
_IDS = frozenset({
    "sender", "receiver", "receiverType", "tag", "conversationId", "type", "callAction",
    "sessionId", "callType", "sentAt", "unreadMessageCount",
    "to", "senderDetails", "groupDetails",
})  # fmt: skip
# not a word to a line, which would take a page
_NAMES = frozenset({
    "title", "subject", "senderName", "senderAvatar", "receiverName", "receiverAvatar",
})  # fmt: skip
_LOOKS = frozenset({"name", "avatar", "icon"})


def redact_notification(notification: Notification, privacy: Privacy) -> Notification:
    """Return the notification with nothing but what a privacy setting lets through.

    `no_body` lets the title through, the names and what an app needs to find its way;
    `no_content` ids alone. Keys that are not known here are kept back with the rest.
    """
    if privacy == "none":
        return notification
    is_open = privacy == "no_body"
    allowed = _IDS | _NAMES if is_open else _IDS
    details = {key: part for key, part in notification.details.items() if key in allowed}
    data = {key: part for key, part in notification.data.items() if key in allowed}
    if not is_open:
        data = prune(data, _LOOKS.intersection)
    if "notificationDetails" in notification.data:
        data["notificationDetails"] = details
    return structs.replace(notification, data=data, details=details)


def generic_title(notification: Notification) -> Notification:
    """Return a call's notification without what counts for its own recipient alone."""
    details = {k: part for k, part in notification.details.items() if k != "unreadMessageCount"}
    return structs.replace(notification, details=details)
