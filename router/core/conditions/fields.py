"""The fields a condition can name, their types, and how each is read.

Names and values are those of the custom-provider payload.
Source: https://www.cometchat.com/docs/notifications/custom-providers
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Literal, get_args

from msgspec import Struct, field

from router.core.conditions.hours import Calendar
from router.core.errors import nearest, suggest
from router.core.model.facts import Recipient
from router.core.model.feed import Feed
from router.core.model.notification import Kind, Notification
from router.core.model.payload import Json

FieldType = Literal["text", "word", "number", "time", "duration", "truth", "real", "any", "hours"]
"""What a field holds: `word` a text of which the known values are listed, `number` a whole one,
`hours` the names of the file's, several at once."""


class ConditionSubject(Struct, frozen=True, kw_only=True):
    """What a condition looks at: the notification, its recipient, top-level `vars`, and now.

    `calendar` tells which of the file's hours it is for the recipient.
    `mismatches` collects the names of fields whose value a test found to be of the wrong type.
    """

    notification: Notification
    recipient: Recipient
    vars: Mapping[str, str]
    now: float
    calendar: Calendar
    mismatches: list[str] = field(default_factory=list)


Read = Callable[[ConditionSubject], Json]
"""Gives a field's value as it came, None where it is absent or null."""


class Field(Struct, frozen=True, kw_only=True):
    """A name a condition can use; `values` are the known ones of a word.

    `default` is what `read` gives where the payload has nothing; None where it has none.
    """

    name: str
    type: FieldType
    read: Read
    values: tuple[str, ...] = ()
    default: Json = None


def _walk(value: Json, keys: tuple[str, ...]) -> Json:
    """Return what stands at the end of a path; a list on the way gives what its items have."""
    for position, key in enumerate(keys):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            values = [_walk(item, keys[position:]) for item in value]
            return [item for item in values if item is not None] or None
        else:
            return None
    return value


def _read_details(name: str, keys: tuple[str, ...] = ()) -> Read:
    def read(subject: ConditionSubject) -> Json:
        return subject.notification.details.get(name)

    def read_inside(subject: ConditionSubject) -> Json:
        return _walk(subject.notification.details.get(name), keys)

    def read_entry(subject: ConditionSubject) -> Json:
        value = subject.notification.details.get(name)
        if value is None:
            return None
        return value.get(key) if isinstance(value, dict) else _walk(value, keys)

    if not keys:
        return read
    key = keys[0]
    return read_entry if len(keys) == 1 else read_inside


def _read_data(name: str, keys: tuple[str, ...] = ()) -> Read:
    def read(subject: ConditionSubject) -> Json:
        return _walk(subject.notification.data.get(name), keys)

    return read


def _read_age(subject: ConditionSubject) -> Json:
    return subject.notification.age(subject.now)


def _text(name: str, read: Read) -> Field:
    return Field(name=name, type="text", read=read)


def _free(name: str, read: Read) -> Field:
    return Field(name=name, type="any", read=read)


def _word(name: str, read: Read, *values: str) -> Field:
    return Field(name=name, type="word", read=read, values=values)


_PLAIN = (
    *("title", "body", "sender", "senderName", "senderAvatar"),
    *("receiver", "receiverName", "receiverAvatar"),
    *("tag", "conversationId", "sessionId"),
)
_CALL_ACTIONS = ("initiated", "ongoing", "unanswered", "cancelled", "rejected", "busy", "ended")
_KNOWN = (
    *(_text(name, _read_details(name)) for name in _PLAIN),
    _word("type", _read_details("type"), "chat", "call"),
    _word("receiverType", _read_details("receiverType"), "user", "group"),
    _word("callAction", _read_details("callAction"), *_CALL_ACTIONS),
    _word("callType", _read_details("callType"), "audio", "video"),
    Field(name="sentAt", type="time", read=_read_details("sentAt")),
    Field(name="unreadMessageCount", type="number", read=_read_details("unreadMessageCount")),
    _text("uid", lambda subject: subject.notification.uid),
    _text("appId", lambda subject: subject.notification.app_id or None),
    _text("region", lambda subject: subject.notification.region or None),
    _text("locale", lambda subject: subject.recipient.locale or None),
    _word("feed", lambda subject: subject.notification.feed, *get_args(Feed)),
    _word("kind", lambda subject: subject.notification.kind, *get_args(Kind)),
    _text("conversation", lambda subject: subject.notification.conversation or None),
    Field(name="reply", type="truth", read=lambda subject: subject.notification.reply),
    Field(name="mention", type="truth", read=lambda subject: subject.notification.mention),
    Field(name="age", type="duration", read=_read_age),
    *(_text(name, _read_data(name)) for name in ("subject", "smsContent")),
    *(_text(f"to.{key}", _read_data("to", (key,))) for key in ("uid", "name", "email", "phno")),
)
FIELDS: Mapping[str, Field] = {known.name: known for known in _KNOWN}
"""Every field that has a name of its own."""

HOURS = Field(name="hours", type="hours", read=lambda subject: [*subject.calendar.open] or None)
"""The hours of the file that it is now: it has several values at once, or none. Only conditions
know it."""

_IN_DETAILS = ("custom", "message")
_IN_DATA = ("messages", "senderDetails", "groupDetails")
ROOTS = (*_IN_DETAILS, *_IN_DATA, "attributes", "vars")
"""What a path can start with."""

_PART = re.compile(r"""\.([^.\[\]'"]+)|\['([^']+)'\]|\["([^"]+)"\]""")


def split_path(name: str) -> tuple[str, ...] | None:
    """Return the keys of a path such as `custom.a['deep-link']`, None if it is none."""
    root = re.match(r"[A-Za-z]+", name)
    if root is None:
        return None
    parts, position = [root[0]], root.end()
    while position < len(name):
        part = _PART.match(name, position)
        if part is None:
            return None
        parts.append(part[1] or part[2] or part[3])
        position = part.end()
    return tuple(parts)


def find_field(name: str, variables: Collection[str] = ()) -> Field | None:
    """Return the field of that name, or None; `variables` are the names that `vars` has."""
    if field := FIELDS.get(name):
        return field
    match split_path(name):
        case ("vars", variable) if variable in variables:
            return _text(name, lambda subject: subject.vars.get(variable))
        case ("attributes", _, *_) as path:
            attribute = ".".join(path[1:])
            return _free(name, lambda subject: subject.recipient.attributes.get(attribute))
        case (root, *keys) if root in _IN_DETAILS:
            return _free(name, _read_details(root, tuple(keys)))
        case (root, *keys) if root in _IN_DATA:
            return _free(name, _read_data(root, tuple(keys)))
    return None


def suggest_field(name: str, variables: Collection[str] = ()) -> str:
    """Return what to write instead of an unknown name, or an empty text."""
    bare = name.removeprefix("data.").removeprefix("notificationDetails.")
    if bare != name and find_field(bare, variables):
        return f'write "{bare}"'
    if name in {"attributes", "vars"}:
        return f"name one of them, as in {name}.tier"
    if name.startswith("vars.") and not variables:
        return "no enrich sets vars here"
    root = re.split(r"[.\[]", name, maxsplit=1)[0]
    if root in ROOTS and split_path(name) is None:
        return f"write a path as {root}.key or {root}['odd key']"
    near_root = nearest(root, ROOTS)
    if near_root is not None and find_field(path := near_root + name[len(root) :], variables):
        return f'did you mean "{path}"?'
    return suggest(name, [*FIELDS, *ROOTS, *(f"vars.{variable}" for variable in variables)])
