"""What a notification is about, and the key under which a later message replaces an earlier one."""

from hashlib import blake2b

from router.core.model.notification import Notification, is_change
from router.core.model.payload import Json, scalar
from router.core.rules.ruleset import Collapse

MAX_KEY_LENGTH = 64
"""Bytes of the longest key: what the strictest providers take."""
_DIGITS = 18
"""Digits of the longest number; 64 bits hold it."""


def topic_key(notification: Notification) -> str:
    """Return the key that a message, its edits and its deletion share; at most 64 bytes.

    A call's events share its session's, a conversation's digests the conversation's. A reaction
    has its own, which is all a payload tells of it; so has every group action.
    """
    subject = _subject(notification)
    kind = "message" if is_change(notification) else notification.kind
    return _shorten(kind, f"{kind}:{notification.app_id}:{subject or notification.event}")


def collapse_key(how: Collapse, notification: Notification, subject: str, burst: str) -> str:
    """Return the key under which a step's message is replaced by later ones, or an empty text.

    `subject` is what `topic_key` says of the notification, `burst` the window of the rule's
    throttle, empty where it is in none.
    """
    match how:
        case "message":
            return subject
        case "throttle":
            return burst or subject
        case "none":
            return ""
        case _:
            whole = f"conversation:{notification.app_id}:{notification.conversation}"
            return _shorten("conversation", whole) if notification.conversation else subject


def number_subject(about: str) -> int | None:
    """Return a number under which to look for what is about the same; None where nothing asks.

    It is the message's own, which grows with time, so that an index of it does as well.
    """
    kind, _, rest = about.partition(":")
    if kind not in {"message", "call"}:
        return None
    last = rest.rpartition(":")[2]
    if _is_number(last):
        return int(last)
    return int.from_bytes(blake2b(about.encode("utf-8", "replace"), digest_size=7).digest())


def _shorten(kind: str, key: str) -> str:
    if (len(key) if key.isascii() else len(key.encode())) <= MAX_KEY_LENGTH:
        return key
    last = key.rpartition(":")[2]
    tail = f":{last}" if _is_number(last) else ""
    return f"{kind}:{blake2b(key.encode(), digest_size=16).hexdigest()}{tail}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def _subject(notification: Notification) -> str:
    """Return what the notification is about, as far as the payload names it."""
    details, conversation = notification.details, notification.conversation
    match notification.kind:
        case "call":
            return scalar(details.get("sessionId"))
        case "digest":
            return conversation
        case "group_action":
            return ""
        case "edit" | "delete":
            number = _dig(details, "message", "data", "entities", "on", "entity", "id")
        case _:
            message = details.get("message")
            number = scalar(message.get("id")) if isinstance(message, dict) else ""
    number = number or scalar(details.get("tag"))
    return number and f"{conversation}:{number}"


def _dig(value: Json, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return scalar(value)
