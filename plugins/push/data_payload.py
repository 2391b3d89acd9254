"""The payload's keys as texts, cut to what a provider of push takes."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from router import Message
from router.bridge import truncate

EXPENDABLE_KEYS = ("message", "custom", "senderAvatar", "receiverAvatar")
"""What is left out first, in this order, when a message does not fit."""
RESERVED_TEXT_BYTES = {"title": 200, "body": 800}
"""Bytes of the words that stay even where other data must go for them."""

LONG_VALUE_LENGTH = 200
"""Characters of a value that goes where a message is too large for its provider."""

MAX_TTL_S = 28 * 86400
"""Seconds that FCM keeps a message, or a browser's push service, at most."""

SILENT_SOUND = "none"
"""The sound of what is to be shown without one."""
_ARG_NUMBERS = range(1, 10)
_MAX_ARG_BYTES = 60
"""Bytes of what is put into a phrase of the app's, of its key, and of a sound's name, in JSON."""

MeasureBytes = Callable[[str], int]
"""Returns the bytes that a provider counts for a text."""


class LocalizedPhrase(Struct, frozen=True):
    """A text of the app's own, in the device's language: its key, and what is put into it."""

    key: str
    args: list[str]


def find_localized_phrase(message: Message, name: str) -> LocalizedPhrase | None:
    """Return the app's phrase for the `title` or `body`, None where the rules name none.

    Rules name it with the data `title_loc_key` and `title_loc_arg_1` to `_9`, `body_loc_key` and
    so on; nothing in a payload can.
    """
    key = message.data.get(f"{name}_loc_key")
    if not key:
        return None
    named = [message.data.get(f"{name}_loc_arg_{number}", "") for number in _ARG_NUMBERS]
    most = max((number for number, text in enumerate(named, start=1) if text), default=0)
    return LocalizedPhrase(
        truncate_bytes(key, _MAX_ARG_BYTES, count_json_bytes),
        [truncate_bytes(text, _MAX_ARG_BYTES, count_json_bytes) for text in named[:most]],
    )


def read_sound(message: Message) -> str:
    """Return the name of the sound: the system's own unless a rule names one, empty for silence."""
    return (
        ""
        if message.sound == SILENT_SOUND
        else truncate_bytes(message.sound, _MAX_ARG_BYTES, count_json_bytes) or "default"
    )


def write_texts(message: Message) -> dict[str, str]:
    """Return the payload's keys unchanged, and the message's own, all as texts.

    `quiet` tells an app that nothing is to be shown: what was is to be taken back.
    """
    data = {name: _text(value) for name, value in message.notification.details.items()}
    extras = {"link": message.link, "image": message.image, "sound": message.sound}
    data |= {name: value for name, value in extras.items() if value}
    if message.badge is not None:
        data["badge"] = str(message.badge)
    if message.quiet:
        data["quiet"] = "true"
    return data | message.data | {"title": message.title, "body": message.body}


def count_ttl(message: Message, now: float) -> int:
    """Return for how long a provider may keep a message for a device that is away."""
    return max(0, min(int(message.expires - now), MAX_TTL_S))


def make_topic(key: str) -> str:
    """Return a topic of web push: the same for the same, at most 32 characters of base64url."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def count_bytes(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text.encode())


def count_json_bytes(text: str) -> int:
    """Return the bytes of a text in JSON, with its quotes and what divides it from the next."""
    return len(msgspec.json.encode(text)) + 1


def fit_data(data: dict[str, str], room: int, weigh: MeasureBytes = count_bytes) -> dict[str, str]:
    """Return data of at most so many bytes.

    What is expendable goes first, then the body is cut; where even a short body finds no
    room, the longest of the other data goes too.
    """
    kept = dict(data)
    for name in EXPENDABLE_KEYS:
        if measure_data(kept, weigh) <= room:
            break
        kept.pop(name, None)
    if measure_data(kept, weigh) <= room:
        return kept
    kept |= {
        name: truncate_bytes(data[name], size, weigh) for name, size in RESERVED_TEXT_BYTES.items()
    }
    while measure_data(kept, weigh) > room:
        del kept[
            max(kept.keys() - RESERVED_TEXT_BYTES.keys(), key=lambda name: len(name + kept[name]))
        ]
    left = room - measure_data(kept, weigh) + weigh(kept["body"])
    return kept | {"body": truncate_bytes(data["body"], left, weigh)}


def drop_expendable(message: Message) -> Message | None:
    """Return a message less what is expendable, with short words; None where that is nothing.

    It is for a provider that finds a message too large which is within the limit it documents.
    """
    notification = message.notification
    details = {
        name: value
        for name, value in notification.details.items()
        if name not in EXPENDABLE_KEYS and len(_text(value)) <= LONG_VALUE_LENGTH
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


def measure_data(data: Mapping[str, str], weigh: MeasureBytes = count_bytes) -> int:
    """Return the bytes of keys and values, as the provider counts them."""
    return sum(weigh(name) + weigh(value) for name, value in data.items())


def truncate_bytes(text: str, size: int, weigh: MeasureBytes = count_bytes) -> str:
    """Return at most so many bytes of a text, whole characters, with a mark where it ends."""
    frame = weigh("")
    return truncate(text, size - frame, measure=lambda part: weigh(part) - frame)


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
