"""Payloads as CometChat documents them, to try rules and channels with.

Each `NAME.json` beside this file is one body of a custom provider. They are restamped before
they are fed: as they stand they are of the day they were written down, and a second run would
be taken for a repeat of the first.
"""

from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from router.core.errors import suggest
from router.core.model.payload import Json

SAMPLE_NAMES = (
    "push_chat_one_on_one",
    "push_chat_one_on_one_message_and_custom",
    "push_chat_group_message_object",
    "push_chat_mention_group",
    "push_chat_media_image",
    "push_chat_media_audio",
    "push_chat_media_file",
    "push_chat_message_edited",
    "push_reaction_one_on_one",
    "push_group_action_joined",
    "push_group_action_added",
    "push_group_action_left",
    "push_group_action_kicked",
    "push_group_action_banned",
    "push_call_audio_initiated",
    "push_call_ongoing",
    "push_call_ended",
    "push_call_video_initiated",
    "push_call_cancelled",
    "push_call_rejected",
    "push_call_unanswered",
    "email_one_on_one",
    "email_one_on_one_message_objects",
    "email_one_on_one_no_email",
    "email_group",
    "sms_one_on_one",
    "sms_one_on_one_no_phno",
    "sms_one_on_one_older_doc",
    "sms_group",
)
"""Every sample, in an order in which they could have happened."""


class SampleUnknown(LookupError):  # noqa: N818 - it says what is the matter
    """There is no sample of that name."""


def read_sample(name: str) -> dict[str, Json]:
    """Return a sample by its name; raises `SampleUnknown` with the nearest name."""
    if name not in SAMPLE_NAMES:
        hint = suggest(name, SAMPLE_NAMES) or f"known are {', '.join(SAMPLE_NAMES)}"
        raise SampleUnknown(f'unknown sample "{name}"; {hint}')
    text = (resources.files(__name__) / f"{name}.json").read_bytes()
    payload: dict[str, Json] = msgspec.json.decode(text)
    return payload


class SampleRecipient(Struct, frozen=True, kw_only=True):
    """A recipient of the samples: the bodies with which the API is told of it."""

    uid: str
    profile: dict[str, Any]
    devices: list[dict[str, Any]]


def read_recipients() -> list[SampleRecipient]:
    """Return everybody the samples are for."""
    text = (resources.files(__name__) / "recipients.json").read_bytes()
    return msgspec.json.decode(text, type=list[SampleRecipient])


def restamp(payload: dict[str, Json], *, now: float, story: str) -> dict[str, Json]:
    """Return the payload as if it had been sent at `now` (epoch seconds) in a story.

    Times become `now`; ids of messages, reactions and calls are moved by the story's name, the
    same way for every payload of it, so that an edit still names its message and a call's end
    its call. A group action's `tag` stays the group's id.
    """
    offset = sum(ord(letter) * 31**n for n, letter in enumerate(story)) % 1_000_000_000
    return {key: _restamp_value(key, value, now, offset) for key, value in payload.items()}


_TIME_FIELDS = frozenset({"sentAt", "updatedAt", "editedAt", "deletedAt"})
_ID_FIELDS = frozenset({"tag", "id", "parentId"})
_MIN_MILLISECONDS = 10**11


def _restamp_value(key: str, value: Json, now: float, offset: int) -> Json:
    if isinstance(value, dict):
        # A digest without message objects carries nothing that tells two of them apart.
        stamp = {"sentAt": ""} if key == "data" and "messages" in value else {}
        return {k: _restamp_value(k, v, now, offset) for k, v in (value | stamp).items()}
    if isinstance(value, list):
        return [_restamp_value(key, item, now, offset) for item in value]
    if key in _TIME_FIELDS:
        return _restamp_time(value, now)
    if isinstance(value, str) and key in _ID_FIELDS and value.isdecimal():
        return str(offset + int(value))
    if isinstance(value, str) and key == "sessionId":
        return f"v1.{offset}.{value}"
    return value


def _restamp_time(value: Json, now: float) -> Json:
    if isinstance(value, int) and value < _MIN_MILLISECONDS:
        return round(now)
    milliseconds = round(now * 1000)
    return str(milliseconds) if isinstance(value, str) else milliseconds
