"""The topic of a notification: a message with its edits, a call with its states."""

from hashlib import blake2b

MAX_TOPIC_BYTES = 64
"""Bytes of the longest topic: what the strictest providers take as a collapse key."""
_MAX_DIGITS = 18
"""Digits of the longest number; 64 bits hold it."""


def make_topic(kind: str, app_id: str, name: str) -> str:
    """Return the topic of a kind of things, an app, and the name of one in it."""
    return shorten_key(kind, f"{kind}:{app_id}:{name}")


def topic_number(topic: str) -> int | None:
    """Return a number by which to find the deliveries of a topic; None where nothing asks.

    It is the message's own, which grows with time, so that an index of it does as well.
    """
    kind, _, rest = topic.partition(":")
    if kind not in {"message", "call"}:
        return None
    last = rest.rpartition(":")[2]
    if _is_number(last):
        return int(last)
    return int.from_bytes(blake2b(topic.encode("utf-8", "replace"), digest_size=7).digest())


def shorten_key(kind: str, key: str) -> str:
    """Return a key of at most `MAX_TOPIC_BYTES`: as it is, or a hash that keeps a last number."""
    if (len(key) if key.isascii() else len(key.encode())) <= MAX_TOPIC_BYTES:
        return key
    last = key.rpartition(":")[2]
    tail = f":{last}" if _is_number(last) else ""
    return f"{kind}:{blake2b(key.encode(), digest_size=16).hexdigest()}{tail}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
