"""The headers and the payload of APNs: an alert, a background push or a VoIP push.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns,
https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification and
https://developer.apple.com/documentation/pushkit/responding-to-voip-notifications-from-pushkit
"""

import hashlib
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from router import Message, Notification
from router.plugins.push.data_payload import (
    RESERVED_TEXT_BYTES,
    count_json_bytes,
    find_localized_phrase,
    fit_data,
    read_sound,
    truncate_bytes,
    write_data,
)

PushType = Literal["alert", "background", "voip"]

MAX_PAYLOAD_BYTES: dict[PushType, int] = {"alert": 4096, "background": 4096, "voip": 5120}
"""Largest payload that Apple accepts."""

RING_TIMEOUT_S = 45
"""Time after which CometChat ends a call that nobody answers."""

MAX_COLLAPSE_ID_BYTES = 64
"""Longest collapse id that Apple accepts."""

_SHOWN_CALL_ACTIONS = frozenset({"initiated", "cancelled", "unanswered"})
"""States of a call that a device without VoIP shows; the app alone gets the others."""


def is_voip(platform: str) -> bool:
    """Return whether a device's token is a VoIP token of PushKit, which gets only calls."""
    return platform.lower().endswith("voip")


def choose_push_type(
    notification: Notification, platform: str, *, quiet: bool = False
) -> PushType | None:
    """Return the push type of a notification for a device, None where the device gets none.

    iOS ends an app that gets a VoIP push and reports no new call, so a VoIP token gets only
    ringing calls.
    """
    action = read_call_action(notification)
    if is_voip(platform):
        return "voip" if action == "initiated" else None
    if quiet:
        return "background"
    return "alert" if not action or action in _SHOWN_CALL_ACTIONS else "background"


def read_call_action(notification: Notification) -> str:
    """Return the `callAction` of a call, empty for other notifications."""
    action = notification.details.get("callAction")
    return action if notification.kind == "call" and isinstance(action, str) else ""


def write_headers(message: Message, kind: PushType, *, topic: str, now: float) -> dict[str, str]:
    """Return the headers of APNs without the authorization."""
    headers = {
        "apns-id": str(uuid5(NAMESPACE_URL, message.delivery)),
        "apns-push-type": kind,
        "apns-topic": f"{topic}.voip" if kind == "voip" else topic,
        "apns-priority": _choose_priority(message, kind),
        "apns-expiration": _choose_expiration(message, kind, now),
    }
    if message.collapse and kind != "voip":
        headers["apns-collapse-id"] = _bounded_collapse_id(message.collapse)
    return headers


def write_payload(message: Message, kind: PushType) -> bytes:
    """Return the payload: `aps`, and beside it every key of the notification as a text."""
    data = write_data(message)
    data.pop("aps", None)
    session = data.get("sessionId")
    if session and read_call_action(message.notification):
        data["callUUID"] = str(uuid5(NAMESPACE_URL, session))
    payload: dict[str, Any] = {"aps": write_aps(message, kind)}
    room = MAX_PAYLOAD_BYTES[kind] - len(msgspec.json.encode(payload))
    return msgspec.json.encode(payload | fit_data(data, room, count_json_bytes))


def write_aps(message: Message, kind: PushType) -> dict[str, Any]:
    """Return the dictionary `aps`, the part of a payload that iOS reads itself."""
    if kind == "voip":
        return {}
    aps: dict[str, Any] = {} if message.badge is None else {"badge": max(0, message.badge)}
    if kind == "background":
        return {"content-available": 1, **aps}
    aps |= {"alert": _write_alert(message), "mutable-content": 1}
    if sound := read_sound(message):
        aps["sound"] = sound
    if read_call_action(message.notification) not in {"", "initiated"}:
        aps["content-available"] = 1  # the app has to wake, to end what rings
    if message.notification.conversation:
        aps["thread-id"] = truncate_bytes(
            message.notification.conversation, RESERVED_TEXT_BYTES["title"], count_json_bytes
        )
    return aps


def _write_alert(message: Message) -> dict[str, Any]:
    """Return the alert: title and body, or the app's own phrases where the rules name them."""
    alert: dict[str, Any] = {}
    for name, text in (("title", message.title), ("body", message.body)):
        prefix = "title-" if name == "title" else ""
        if phrase := find_localized_phrase(message, name):
            alert |= {f"{prefix}loc-key": phrase.key, f"{prefix}loc-args": phrase.args}
        else:
            alert[name] = truncate_bytes(text, RESERVED_TEXT_BYTES[name], count_json_bytes)
    return alert


def _choose_priority(message: Message, kind: PushType) -> str:
    """Return 10 (send at once) or 5 (consider the device's battery)."""
    at_once = kind == "voip" or (kind == "alert" and message.priority != "low")
    return "10" if at_once else "5"


def _choose_expiration(message: Message, kind: PushType, now: float) -> str:
    """Return the Unix time until which Apple stores the push, 0 to store nothing."""
    end = message.expires
    if kind == "voip":
        rang = message.notification.sent_at or message.notification.accepted_at
        end = min(end, now + RING_TIMEOUT_S, rang + RING_TIMEOUT_S)
    return str(int(end)) if end > now else "0"


def _bounded_collapse_id(collapse: str) -> str:
    """Return a collapse key in Apple's limits, a hash of one that is too long."""
    if (
        len(collapse.encode()) <= MAX_COLLAPSE_ID_BYTES
        and collapse.isascii()
        and collapse.isprintable()
    ):
        return collapse
    return hashlib.sha256(collapse.encode()).hexdigest()
