"""What goes to Apple: headers and payload of an alert, a background push or a ringing call.

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
    write_texts,
)

PushType = Literal["alert", "background", "voip"]

MAX_PAYLOAD_BYTES: dict[PushType, int] = {"alert": 4096, "background": 4096, "voip": 5120}
"""Bytes of a payload that Apple takes."""

RING_TIMEOUT_S = 45
"""Seconds after which nobody answers a call: CometChat ends it then."""

MAX_COLLAPSE_ID_BYTES = 64
"""Bytes of a collapse id."""

_SHOWN_CALL_ACTIONS = frozenset({"initiated", "cancelled", "unanswered"})
"""What a person is shown of a call on a device that cannot ring; the rest is for the app."""


def is_voip(platform: str) -> bool:
    """Return whether a device's token is one of PushKit's, which may be sent calls alone."""
    return platform.lower().endswith("voip")


def choose_push_type(
    notification: Notification, platform: str, *, quiet: bool = False
) -> PushType | None:
    """Return the kind of push that a notification is on a device; None where it is none.

    An app that gets a VoIP push and reports no new call to the system is ended by it, so such
    a token gets what rings and nothing else.
    """
    action = read_call_action(notification)
    if is_voip(platform):
        return "voip" if action == "initiated" else None
    if quiet:
        return "background"
    return "alert" if not action or action in _SHOWN_CALL_ACTIONS else "background"


def read_call_action(notification: Notification) -> str:
    """Return what happened to a call; empty where the notification is about none."""
    action = notification.details.get("callAction")
    return action if notification.kind == "call" and isinstance(action, str) else ""


def write_headers(message: Message, kind: PushType, *, topic: str, now: float) -> dict[str, str]:
    """Return Apple's headers, less the authorization."""
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
    data = write_texts(message)
    data.pop("aps", None)
    session = data.get("sessionId")
    if session and read_call_action(message.notification):
        data["callUUID"] = str(uuid5(NAMESPACE_URL, session))
    payload: dict[str, Any] = {"aps": write_aps(message, kind)}
    room = MAX_PAYLOAD_BYTES[kind] - len(msgspec.json.encode(payload))
    return msgspec.json.encode(payload | fit_data(data, room, count_json_bytes))


def write_aps(message: Message, kind: PushType) -> dict[str, Any]:
    """Return what Apple's devices heed of a payload."""
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
    """Return the words that are shown: the app's own for a phrase that the rules name."""
    alert: dict[str, Any] = {}
    for name, text in (("title", message.title), ("body", message.body)):
        prefix = "title-" if name == "title" else ""
        if phrase := find_localized_phrase(message, name):
            alert |= {f"{prefix}loc-key": phrase.key, f"{prefix}loc-args": phrase.args}
        else:
            alert[name] = truncate_bytes(text, RESERVED_TEXT_BYTES[name], count_json_bytes)
    return alert


def _choose_priority(message: Message, kind: PushType) -> str:
    """Return 10, at once, or 5, when it suits the device's battery."""
    at_once = kind == "voip" or (kind == "alert" and message.priority != "low")
    return "10" if at_once else "5"


def _choose_expiration(message: Message, kind: PushType, now: float) -> str:
    """Return the second after which Apple is to keep it no longer; 0: not at all."""
    end = message.expires
    if kind == "voip":
        rang = message.notification.sent_at or message.notification.accepted_at
        end = min(end, now + RING_TIMEOUT_S, rang + RING_TIMEOUT_S)
    return str(int(end)) if end > now else "0"


def _bounded_collapse_id(collapse: str) -> str:
    """Return a collapse id that Apple takes: the same for the same."""
    if (
        len(collapse.encode()) <= MAX_COLLAPSE_ID_BYTES
        and collapse.isascii()
        and collapse.isprintable()
    ):
        return collapse
    return hashlib.sha256(collapse.encode()).hexdigest()
