"""The data payload of a push: the notification's keys as texts, within a provider's size limit."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from router import Message
from router.bridge import truncate

OPTIONAL_KEYS = ("message", "custom", "senderAvatar", "receiverAvatar")
"""Keys that are dropped first, in this order, when a message is too large."""
RESERVED_TEXT_BYTES = {"title": 200, "body": 800}
"""Bytes of title and body that stay even when other data is dropped for them."""

LONG_VALUE_LENGTH = 200
"""Longest value that stays when a provider calls a message too large, in characters."""

MAX_TTL_S = 28 * 86400
"""Longest time that FCM and push services of browsers store a message."""

SILENT_SOUND = "none"
"""The name that rules give the sound of a silent notification."""
_ARG_NUMBERS = range(1, 10)
_MAX_ARG_BYTES = 60
"""Longest argument and key of a localized phrase, and longest name of a sound, in JSON."""

MeasureBytes = Callable[[str], int]
"""A function that returns the bytes that a provider counts for a text."""


class LocalizedPhrase(Struct, frozen=True):
    """A text of the app in the device's language: its key and its arguments."""

    key: str
    args: list[str]


def find_localized_phrase(message: Message, name: str) -> LocalizedPhrase | None:
    """Return the app's phrase for the `title` or the `body`, None where the rules name none.

    Rules name it with the data `title_loc_key` and `title_loc_arg_1` to `_9`, and with the same
    for `body`; a payload of CometChat's cannot name one.
    """
    key = message.data.get(f"{name}_loc_key")
    if not key:
        return None
    named = [message.data.get(f"{name}_loc_arg_{number}", "") for number in _ARG_NUMBERS]
    last_number = max((number for number, text in enumerate(named, start=1) if text), default=0)
    return LocalizedPhrase(
        truncate_bytes(key, _MAX_ARG_BYTES, count_json_bytes),
        [truncate_bytes(text, _MAX_ARG_BYTES, count_json_bytes) for text in named[:last_number]],
    )


def read_sound(message: Message) -> str:
    """Return the name of the sound: `default` unless a rule names another, empty for silence."""
    return (
        ""
        if message.sound == SILENT_SOUND
        else truncate_bytes(message.sound, _MAX_ARG_BYTES, count_json_bytes) or "default"
    )


def write_data(message: Message) -> dict[str, str]:
    """Return every key of the payload and of the message as a text.

    `quiet` is `true` where the app shows nothing, and removes what it has shown.
    """
    data = {name: _to_text(value) for name, value in message.notification.details.items()}
    extras = {"link": message.link, "image": message.image, "sound": message.sound}
    data |= {name: value for name, value in extras.items() if value}
    if message.badge is not None:
        data["badge"] = str(message.badge)
    if message.quiet:
        data["quiet"] = "true"
    return data | message.data | {"title": message.title, "body": message.body}


def count_ttl(message: Message, now: float) -> int:
    """Return the seconds for which a provider may store a message for an offline device."""
    return max(0, min(int(message.expires - now), MAX_TTL_S))


def make_topic(key: str) -> str:
    """Return the web push topic of a collapse key: 22 characters of base64url."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def count_bytes(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text.encode())


def count_json_bytes(text: str) -> int:
    """Return the bytes of a text in JSON, with its quotes and a separator."""
    return len(msgspec.json.encode(text)) + 1


def fit_data(
    data: dict[str, str], max_bytes: int, measure: MeasureBytes = count_bytes
) -> dict[str, str]:
    """Return data of at most `max_bytes`.

    It drops the optional keys first, then truncates the body. Where even a short body does not
    fit, it drops the longest of the other values too.
    """
    kept = dict(data)
    for name in OPTIONAL_KEYS:
        if measure_data(kept, measure) <= max_bytes:
            break
        kept.pop(name, None)
    if measure_data(kept, measure) <= max_bytes:
        return kept
    kept |= {
        name: truncate_bytes(data[name], size, measure)
        for name, size in RESERVED_TEXT_BYTES.items()
    }
    while measure_data(kept, measure) > max_bytes:
        del kept[
            max(kept.keys() - RESERVED_TEXT_BYTES.keys(), key=lambda name: len(name + kept[name]))
        ]
    body_bytes = max_bytes - measure_data(kept, measure) + measure(kept["body"])
    return kept | {"body": truncate_bytes(data["body"], body_bytes, measure)}


def drop_optional_data(message: Message) -> Message | None:
    """Return a message without its optional data, with short texts; None where nothing is left out.

    A provider may call a message too large that is within its documented limit.
    """
    notification = message.notification
    details = {
        name: value
        for name, value in notification.details.items()
        if name not in OPTIONAL_KEYS and len(_to_text(value)) <= LONG_VALUE_LENGTH
    }
    words = {
        name: truncate_bytes(getattr(message, name), size)
        for name, size in RESERVED_TEXT_BYTES.items()
    }
    data = {name: text for name, text in message.data.items() if len(text) <= LONG_VALUE_LENGTH}
    lighter = replace(
        message, notification=replace(notification, details=details), data=data, **words
    )
    return None if lighter == message else lighter


def measure_data(data: Mapping[str, str], measure: MeasureBytes = count_bytes) -> int:
    """Return the bytes of all keys and values, as a provider counts them."""
    return sum(measure(name) + measure(value) for name, value in data.items())


def truncate_bytes(text: str, size: int, measure: MeasureBytes = count_bytes) -> str:
    """Return at most `size` bytes of a text in whole characters, with a mark where it was cut."""
    frame = measure("")
    return truncate(text, size - frame, measure=lambda part: measure(part) - frame)


def _to_text(value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
