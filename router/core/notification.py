"""One thing one recipient should hear of, derived from a payload."""

import json
from hashlib import blake2b
from typing import Literal

import msgspec
from msgspec import Struct

from router.core.payload import Feed, Json, Payload, scalar

Kind = Literal["message", "edit", "delete", "reaction", "group_action", "call", "digest"]

DAY = 86400.0
MINUTE = 60.0

_COUNTERS = frozenset(
    {"unreadMessageCount", "senderName", "senderAvatar", "receiverName", "receiverAvatar"}
)
_LOOKS = frozenset({"name", "avatar", "icon"})
_SECRETS = frozenset({"wschannel", "secret", "password", "authtoken", "apikey"})


class Notification(Struct, frozen=True, kw_only=True):
    """One payload with what the router derived from it; times are epoch seconds.

    `data` is the payload's `data` as it came, less secrets; `details` its
    `notificationDetails` (empty for digests). `key` is the idempotency key, `event` the same
    without the recipient, so that the notifications of one event share it. `guessed` says that
    `kind` was told from the texts, for want of a message object.
    """

    id: str
    key: str
    event: str
    feed: Feed
    kind: Kind
    guessed: bool
    app_id: str
    uid: str
    region: str
    conversation: str
    reply: bool
    mention: bool
    sent_at: float | None
    accepted_at: float
    data: dict[str, Json]
    details: dict[str, Json]

    @property
    def occurred_at(self) -> float:
        """When it happened: `sent_at` if it is believable, else when it was accepted."""
        sent = self.sent_at
        if sent is not None and -DAY <= sent - self.accepted_at <= 5 * MINUTE:
            return sent
        return self.accepted_at


def derive(payload: Payload, *, id: str, accepted_at: float) -> Notification:
    """Return the notification of a payload."""
    data = redact(payload.data)
    details = _mapping(data.get("notificationDetails"))
    message = _mapping(details.get("message"))
    kind, guessed = tell_kind(payload.feed, details)
    event = _digest(_canonical([payload.app_id, payload.feed, _essence(data)]))
    return Notification(
        id=id,
        key=_digest(event.encode() + b"\0" + payload.uid.encode()),
        event=event,
        feed=payload.feed,
        kind=kind,
        guessed=guessed,
        app_id=payload.app_id,
        uid=payload.uid,
        region=payload.region,
        conversation=_conversation(payload.uid, data, details),
        reply=bool(scalar(message.get("parentId"))),
        mention=_mentions(payload.uid, message),
        sent_at=read_time(details.get("sentAt")),
        accepted_at=accepted_at,
        data=data,
        details=details,
    )


def tell_kind(feed: Feed, details: dict[str, Json]) -> tuple[Kind, bool]:
    """Return what happened, and whether that is a guess made from texts."""
    if feed != "push":
        return "digest", False
    if details.get("type") == "call":
        return "call", False
    message = details.get("message")
    if isinstance(message, dict):
        return _kind_of_message(message), False
    receiver = scalar(details.get("receiver"))
    is_group = details.get("receiverType") == "group"
    if is_group and receiver and scalar(details.get("tag")) == receiver:
        return "group_action", True
    if scalar(details.get("body")).startswith("Reacted to "):
        return "reaction", True
    return "message", True


def _kind_of_message(message: dict[str, Json]) -> Kind:
    if message.get("category") != "action":
        return "message"
    if message.get("type") == "groupMember":
        return "group_action"
    if message.get("type") == "message":
        match _mapping(message.get("data")).get("action"):
            case "edited":
                return "edit"
            case "deleted":
                return "delete"
    return "message"


def read_time(value: Json) -> float | None:
    """Return the epoch seconds of a time in milliseconds, given as a number or as text."""
    if isinstance(value, str):
        try:
            value = int(value) if len(value) <= 20 else None  # noqa: PLR2004 - 64 bits and a sign
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value / 1000 if 0 < value < 1e15 else None  # noqa: PLR2004 - year 33658


def redact(value: dict[str, Json]) -> dict[str, Json]:
    """Return the same mapping without what could open a door: `wsChannel` and its like."""
    return {k: _redacted(v) for k, v in value.items() if k.lower() not in _SECRETS}


def _redacted(value: Json) -> Json:
    if isinstance(value, dict):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value


def withhold(notification: Notification, privacy: str) -> Notification:
    """Return the notification without what a privacy setting keeps back.

    `no_body` keeps back `body`, `message`, `custom` and the texts of a digest; `no_content`
    the title and the names as well.
    """
    if privacy == "none":
        return notification
    hidden = {"body", "message", "custom"}
    if privacy == "no_content":
        hidden |= {"title", "senderName", "senderAvatar", "receiverName", "receiverAvatar"}
    details = {k: v for k, v in notification.details.items() if k not in hidden}
    outer = {"messages", "smsContent"} | ({"subject"} if privacy == "no_content" else set())
    data = {k: v for k, v in notification.data.items() if k not in outer}
    if "notificationDetails" in data:
        data["notificationDetails"] = details
    return msgspec.structs.replace(notification, data=data, details=details)


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _conversation(uid: str, data: dict[str, Json], details: dict[str, Json]) -> str:
    if known := scalar(details.get("conversationId")):
        return known
    if guid := scalar(_mapping(data.get("groupDetails")).get("guid")):
        return f"group_{guid}"
    if other := scalar(_mapping(data.get("senderDetails")).get("uid")):
        return "_user_".join(sorted((uid, other)))
    return ""


def _mentions(uid: str, message: dict[str, Json]) -> bool:
    data = _mapping(message.get("data"))
    if uid in _mapping(data.get("mentions")):
        return True
    text = scalar(data.get("text"))
    return "<@all:" in text or "@all" in text.split()


def _essence(data: dict[str, Json]) -> Json:
    """Return what makes two payloads the same: no counters, no looks, no recipient."""
    essence = {k: _plain(v) for k, v in data.items() if k != "to"}
    details = data.get("notificationDetails")
    if isinstance(details, dict):
        essence["notificationDetails"] = {
            k: v if k == "custom" else _plain(v) for k, v in details.items() if k not in _COUNTERS
        }
    return essence


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        is_someone = "uid" in value or "guid" in value
        return {k: _plain(v) for k, v in value.items() if not (is_someone and k in _LOOKS)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _canonical(value: Json) -> bytes:
    try:
        return msgspec.json.encode(value, order="sorted")
    except OverflowError:  # an integer beyond 64 bits, which msgspec reads but does not write
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
