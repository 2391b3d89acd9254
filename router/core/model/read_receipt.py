"""The JSON body of CometChat's general webhooks, of which the router needs who read what.

They tell of everything that happens in an app. What they say of a receipt has varied: it stands in
`data` or in `data.body`, its time in seconds or milliseconds, and the conversation is told by its
id, by sender and receiver, or not at all.
Source: https://www.cometchat.com/docs/rest-api/management-apis/webhooks/overview
"""

from collections.abc import Sequence

from msgspec import Struct

from router.core.errors import PayloadError
from router.core.model.feed import TRIGGERS
from router.core.model.notification import MAX_CONVERSATION_ID_LENGTH
from router.core.model.payload import Json, as_name, as_object, parse, scalar
from router.core.model.unless import MAX_KEY_LENGTH, number

READ_RECEIPT_TRIGGER = "message_read_receipt"
"""The trigger of a read receipt."""

_MIN_MILLISECONDS = 1e11
"""An epoch time from here on is one in milliseconds; in seconds it would be the year 5138."""
_MAX_MILLISECONDS = 1e15


class ReadReceipt(Struct, frozen=True, kw_only=True):
    """Somebody read a message; `conversation` is empty where the receipt does not tell it.

    `read_at` is an epoch second by CometChat's clock, None where there is none.
    """

    app_id: str
    uid: str
    conversation: str
    message: str
    read_at: float | None

    @property
    def number(self) -> int:
        """Return the message's id as a number that grows with time, 0 where it is none."""
        return number(self.message)


class GeneralWebhookEvent(Struct, frozen=True, kw_only=True):
    """A general webhook's body: its trigger, and the receipt if it is a read receipt."""

    trigger: str
    receipt: ReadReceipt | None = None


def read_event(body: bytes) -> GeneralWebhookEvent:
    """Return the event in a request body.

    Raises `PayloadError` with a JSON path and a reason for what is none.
    """
    envelope = as_object(parse(body), "$")
    trigger = envelope.get("trigger")
    if not isinstance(trigger, str) or not trigger:
        raise PayloadError("$.trigger", "must be a text")
    if trigger in TRIGGERS or envelope.get("webhook") == "custom":
        raise PayloadError("$.trigger", "is the trigger of a custom provider; send it to /webhook")
    if trigger != READ_RECEIPT_TRIGGER:
        return GeneralWebhookEvent(trigger=trigger)
    app_id = as_name(envelope.get("appId"), "$.appId")
    return GeneralWebhookEvent(trigger=trigger, receipt=_read_receipt(app_id, envelope.get("data")))


def _read_receipt(app_id: str, value: Json) -> ReadReceipt:
    data = as_object(value, "$.data")
    inner = data.get("body")
    body = inner if isinstance(inner, dict) else data
    parts = (body, data)
    user = _first(parts, "user")
    uid = user.get("uid") if isinstance(user, dict) else data.get("sender")
    name = as_name(uid, "$.data.user.uid")
    message = scalar(_first(parts, "messageId"))
    if not name:
        raise PayloadError("$.data.user.uid", "must be the uid of the reader")
    if not message or len(message) > MAX_KEY_LENGTH:
        raise PayloadError("$.data.messageId", "must be the id of the message that was read")
    return ReadReceipt(
        app_id=app_id,
        uid=name,
        conversation=_read_conversation(name, data, parts),
        message=message,
        read_at=_read_time(_first(parts, "readAt") or _first(parts, "timestamp")),
    )


def _first(parts: Sequence[dict[str, Json]], key: str) -> Json:
    return next((part[key] for part in parts if part.get(key) is not None), None)


def _read_conversation(uid: str, data: dict[str, Json], parts: Sequence[dict[str, Json]]) -> str:
    if conversation_id := scalar(_first(parts, "conversationId")):
        return conversation_id[:MAX_CONVERSATION_ID_LENGTH]
    receiver = scalar(data.get("receiver"))
    if data.get("receiverType") == "group" and receiver:
        return f"group_{receiver}"[:MAX_CONVERSATION_ID_LENGTH]
    if data.get("receiverType") != "user":
        return ""
    others = (scalar(data.get(key)) for key in ("messageSender", "sender", "receiver"))
    partner = next((each for each in others if each and each != uid), "")
    return "_user_".join(sorted((uid, partner)))[:MAX_CONVERSATION_ID_LENGTH] if partner else ""


def _read_time(value: Json) -> float | None:
    """Return the epoch seconds of a time, given as a number or as text."""
    try:
        time = float(scalar(value)[:20])
    except ValueError:
        return None
    if not 0 < time < _MAX_MILLISECONDS:
        return None
    return time / 1000 if time >= _MIN_MILLISECONDS else time
