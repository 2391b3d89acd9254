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
from router.plugins._payload import (
    WORDS,
    cut,
    fit,
    localise,
    read_sound,
    weigh_json,
    write_texts,
)

Kind = Literal["alert", "background", "voip"]

ROOM: dict[Kind, int] = {"alert": 4096, "background": 4096, "voip": 5120}
"""Bytes of a payload that Apple takes."""

RING = 45
"""Seconds after which nobody answers a call: CometChat ends it then."""

COLLAPSE = 64
"""Bytes of a collapse id."""

_SEEN = frozenset({"initiated", "cancelled", "unanswered"})
"""What a person is shown of a call on a device that cannot ring; the rest is for the app."""


def is_voip(platform: str) -> bool:
    """Return whether a device's token is one of PushKit's, which may be sent calls alone."""
    return platform.lower().endswith("voip")


def choose_kind(notification: Notification, platform: str, *, quiet: bool = False) -> Kind | None:
    """Return the kind of push that a notification is on a device; None where it is none.

    An app that gets a VoIP push and reports no new call to the system is ended by it, so such
    a token gets what rings and nothing else.
    """
    action = read_call_action(notification)
    if is_voip(platform):
        return "voip" if action == "initiated" else None
    if quiet:
        return "background"
    return "alert" if not action or action in _SEEN else "background"


def read_call_action(notification: Notification) -> str:
    """Return what happened to a call; empty where the notification is about none."""
    action = notification.details.get("callAction")
    return action if notification.kind == "call" and isinstance(action, str) else ""


def write_headers(message: Message, kind: Kind, *, topic: str, now: float) -> dict[str, str]:
    """Return Apple's headers, less the authorization."""
    headers = {
        "apns-id": str(uuid5(NAMESPACE_URL, message.delivery)),
        "apns-push-type": kind,
        "apns-topic": f"{topic}.voip" if kind == "voip" else topic,
        "apns-priority": _choose_priority(message, kind),
        "apns-expiration": _choose_end(message, kind, now),
    }
    if message.collapse and kind != "voip":
        headers["apns-collapse-id"] = _shrink(message.collapse)
    return headers


def write_payload(message: Message, kind: Kind) -> bytes:
    """Return the payload: `aps`, and beside it every key of the notification as a text."""
    data = write_texts(message)
    data.pop("aps", None)
    session = data.get("sessionId")
    if session and read_call_action(message.notification):
        data["callUUID"] = str(uuid5(NAMESPACE_URL, session))
    payload: dict[str, Any] = {"aps": write_aps(message, kind)}
    room = ROOM[kind] - len(msgspec.json.encode(payload))
    return msgspec.json.encode(payload | fit(data, room, weigh_json))


def write_aps(message: Message, kind: Kind) -> dict[str, Any]:
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
        aps["thread-id"] = cut(message.notification.conversation, WORDS["title"], weigh_json)
    return aps


def _write_alert(message: Message) -> dict[str, Any]:
    """Return the words that are shown: the app's own for a phrase that the rules name."""
    alert: dict[str, Any] = {}
    for name, text in (("title", message.title), ("body", message.body)):
        prefix = "title-" if name == "title" else ""
        if phrase := localise(message, name):
            alert |= {f"{prefix}loc-key": phrase.key, f"{prefix}loc-args": phrase.args}
        else:
            alert[name] = cut(text, WORDS[name], weigh_json)
    return alert


def _choose_priority(message: Message, kind: Kind) -> str:
    """Return 10, at once, or 5, when it suits the device's battery."""
    at_once = kind == "voip" or (kind == "alert" and message.priority != "low")
    return "10" if at_once else "5"


def _choose_end(message: Message, kind: Kind, now: float) -> str:
    """Return the second after which Apple is to keep it no longer; 0: not at all."""
    end = message.expires
    if kind == "voip":
        rang = message.notification.sent_at or message.notification.accepted_at
        end = min(end, now + RING, rang + RING)
    return str(int(end)) if end > now else "0"


def _shrink(collapse: str) -> str:
    """Return a collapse id that Apple takes: the same for the same."""
    if len(collapse.encode()) <= COLLAPSE and collapse.isascii() and collapse.isprintable():
        return collapse
    return hashlib.sha256(collapse.encode()).hexdigest()
