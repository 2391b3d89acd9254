"""One thing one recipient should hear of, derived from a payload."""

from collections.abc import Mapping
from typing import Literal, cast

from msgspec import Struct, field, structs

from router.core.model.feed import FEEDS, Feed
from router.core.model.idempotency import identify
from router.core.model.payload import Json, Payload, scalar
from router.core.model.topic import make_topic

Kind = Literal["message", "edit", "delete", "reaction", "group_action", "call", "digest"]

_OF_CALLS = frozenset({"callAction", "callType", "sessionId"})
_ACTIONS: dict[str, Kind] = {"edited": "edit", "deleted": "delete"}

MAX_CONVERSATION_ID_LENGTH = 600
"""Characters of the longest conversation id: two uids and what joins them."""

DAY_S = 86400.0
MINUTE_S = 60.0


class Notification(Struct, frozen=True, kw_only=True):
    """One payload with what the router derived from it; times are epoch seconds.

    `data` is the payload's `data` as it came, less secrets; `details` its
    `notificationDetails` (empty for digests). With `feed`, `app_id` and `region` they make the
    payload again. `key` is the idempotency key, `event` the same without the recipient, so
    that the notifications of one event share it. `guessed` says that `kind` was told from the
    texts, for want of a message object; `classified` is what a `classify` entry said, by the
    names of the fields, which then holds in `kind` and `details`. `skew` is what to add to the
    payload's own times to hold them against this machine's: seconds, as far as they were known
    when it was accepted.
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
    skew: float = 0.0
    data: dict[str, Json]
    details: dict[str, Json]
    classified: dict[str, str] = field(default_factory=dict)
    sender: str = ""
    """The uid of the sender; empty where the payload names none."""
    session: str = ""
    """The id of the call; empty for anything else."""
    call_action: str = ""
    """The state that a call is in; empty for anything else."""
    message_id: str = ""
    """The id of the message that was sent, edited, deleted or reacted to."""
    topic: str = ""
    """The key that a message, its edits and its deletion share; at most 64 bytes.

    A call's events share its session's, a conversation's digests the conversation's. A reaction
    has its own, which is all a payload tells of it; so has every group action.
    """

    @property
    def occurred_at(self) -> float:
        """When it happened by this machine's clock; when it was accepted, if that is unbelievable.

        Believable is what lies at most a day before its acceptance and five minutes after.
        """
        if self.sent_at is None:
            return self.accepted_at
        sent = self.sent_at + self.skew
        return sent if -DAY_S <= sent - self.accepted_at <= 5 * MINUTE_S else self.accepted_at

    def age(self, now: float) -> float | None:
        """Return the seconds since it happened; None for a payload that says nothing of it."""
        return None if self.sent_at is None else now - self.occurred_at


def derive(payload: Payload, *, id: str, accepted_at: float, skew: float = 0.0) -> Notification:
    """Return the notification of a payload."""
    data = payload.data
    details = _mapping(data.get("notificationDetails"))
    message = _mapping(details.get("message"))
    kind, guessed = detect_kind(payload.feed, details)
    event, key = identify(payload)
    conversation = _conversation(payload.uid, data, details)
    notification = Notification(
        id=id,
        key=key,
        event=event,
        feed=payload.feed,
        kind=kind,
        guessed=guessed,
        app_id=payload.app_id,
        uid=payload.uid,
        region=payload.region,
        conversation=conversation,
        reply=scalar(message.get("parentId")) not in {"", "0"},
        mention=_mentions(payload.uid, message),
        sent_at=read_time(details.get("sentAt")),
        accepted_at=accepted_at,
        skew=skew,
        data=data,
        details=details,
    )
    return _with_message_facts(notification)


def _with_message_facts(notification: Notification) -> Notification:
    """Return the notification with the facts that follow from its kind and its details."""
    kind, details = notification.kind, notification.details
    sender = scalar(details.get("sender"))
    if not sender:
        sender = scalar(_mapping(notification.data.get("senderDetails")).get("uid"))
    is_call = kind == "call"
    session = scalar(details.get("sessionId"))[:MAX_CONVERSATION_ID_LENGTH] if is_call else ""
    message_id = _message_id(kind, details)
    name = session
    if kind == "digest":
        name = notification.conversation
    elif message_id:
        name = f"{notification.conversation}:{message_id}"
    about = "message" if kind in {"edit", "delete"} else kind
    return structs.replace(
        notification,
        sender=sender,
        session=session,
        call_action=scalar(details.get("callAction")) if is_call else "",
        message_id=message_id,
        topic=make_topic(about, notification.app_id, name or notification.event),
    )


def _message_id(kind: Kind, details: dict[str, Json]) -> str:
    match kind:
        case "message" | "reaction":
            value = _mapping(details.get("message")).get("id")
        case "edit" | "delete":
            value = details.get("message")
            for name in ("data", "entities", "on", "entity", "id"):
                value = _mapping(value).get(name)
        case _:
            return ""
    return scalar(value) or scalar(details.get("tag"))


def apply_classification(notification: Notification, words: Mapping[str, str]) -> Notification:
    """Return the notification of a payload with what is said of it: `kind`, and any details.

    `type` follows from the kind unless it is said, and only a call keeps the words of one.
    """
    kind = cast(Kind, words["kind"])
    details = notification.details | {name: part for name, part in words.items() if name != "kind"}
    if kind == "call":
        details["type"] = "call"
    else:
        details = {name: part for name, part in details.items() if name not in _OF_CALLS}
        if details.get("type") == "call":
            details["type"] = "chat"
    classified = structs.replace(
        notification, kind=kind, guessed=False, details=details, classified=dict(words)
    )
    return _with_message_facts(classified)


def reset_classification(notification: Notification) -> Notification:
    """Return the notification as its payload tells, whatever was said of it."""
    if not notification.classified:
        return notification
    details = _mapping(notification.data.get("notificationDetails"))
    kind, guessed = detect_kind(notification.feed, details)
    unclassified = structs.replace(
        notification, kind=kind, guessed=guessed, details=details, classified={}
    )
    return _with_message_facts(unclassified)


def detect_kind(feed: Feed, details: dict[str, Json]) -> tuple[Kind, bool]:
    """Return what happened, and whether that is a guess made from texts."""
    if FEEDS[feed].is_digest:
        return "digest", False
    if details.get("type") == "call":
        return "call", False
    message = details.get("message")
    if isinstance(message, dict) and message:
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
        action = _mapping(message.get("data")).get("action")
        return _ACTIONS.get(action, "message") if isinstance(action, str) else "message"
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


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _conversation(uid: str, data: dict[str, Json], details: dict[str, Json]) -> str:
    if conversation_id := scalar(details.get("conversationId")):
        return conversation_id[:MAX_CONVERSATION_ID_LENGTH]
    if guid := scalar(_mapping(data.get("groupDetails")).get("guid")):
        return f"group_{guid}"[:MAX_CONVERSATION_ID_LENGTH]
    if sender_uid := scalar(_mapping(data.get("senderDetails")).get("uid")):
        return "_user_".join(sorted((uid, sender_uid)))[:MAX_CONVERSATION_ID_LENGTH]
    return ""


def _mentions(uid: str, message: dict[str, Json]) -> bool:
    data = _mapping(message.get("data"))
    if uid in _mapping(data.get("mentions")):
        return True
    text = scalar(data.get("text"))
    return "<@all:" in text or "@all" in text.split()


def is_about_others(notification: Notification) -> bool:
    """Return whether other notifications may be about the same: a call's, a message's changes."""
    return notification.kind == "call" or is_change(notification)


def is_change(notification: Notification) -> bool:
    """Return whether it changes a message, and is none itself."""
    return notification.kind in {"edit", "delete"}


def is_sequel(notification: Notification) -> bool:
    """Return whether it changes what was sent before: an edit, a delete, a call's later state."""
    if notification.kind == "call":
        return not is_ring(notification)
    return is_change(notification)


def is_ring(notification: Notification) -> bool:
    """Return whether a call is coming in now."""
    return notification.call_action == "initiated"
