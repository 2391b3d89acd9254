"""Payloads and notifications to test with."""

import msgspec

from router.core.model.notification import Notification, derive
from router.core.model.payload import Json, decode
from tests import SAMPLES

NOON = 1_741_867_200.0
"""When the events happen, unless a test says otherwise."""

DETAILS: dict[str, Json] = {
    "title": "Bob",
    "body": "hello",
    "sender": "bob",
    "senderName": "Bob",
    "receiver": "ann",
    "receiverName": "Ann",
    "receiverType": "user",
    "tag": "7",
    "conversationId": "ann_user_bob",
    "type": "chat",
    "sentAt": str(int(NOON * 1000)),
}


def sample(name: str) -> bytes:
    """Return the body of a sample."""
    return (SAMPLES / f"{name}.json").read_bytes()


def envelope(data: Json, feed: str = "push", /, **others: Json) -> bytes:
    """Return a body around `data`."""
    around: dict[str, Json] = {
        "trigger": f"{feed}-notification-payload-generated",
        "data": data,
        "appId": "app",
        "region": "eu",
        "webhook": "custom",
    }
    return msgspec.json.encode(around | others)


def notify(body: bytes) -> Notification:
    """Return the notification of a body that comes at noon."""
    return derive(decode(body), id="n1", accepted_at=NOON)


def push(uid: str = "ann", /, **details: Json) -> Notification:
    """Return a chat message from Bob to Ann, with other details as given; None leaves one out."""
    told: dict[str, Json] = {k: v for k, v in (DETAILS | details).items() if v is not None}
    return notify(envelope({"to": {"uid": uid}, "notificationDetails": told}))


def call(action: str = "initiated", uid: str = "ann", /, **details: Json) -> Notification:
    """Return an event of Bob's call to Ann."""
    ring: dict[str, Json] = {"type": "call", "callAction": action, "sessionId": "s1"}
    return push(uid, **(ring | details))


def digest(feed: str = "email", uid: str = "ann", /, **data: Json) -> Notification:
    """Return a digest of two messages from Bob to Ann."""
    bob: Json = {"uid": "bob", "name": "Bob"}
    messages: Json = [{"sender": bob, "message": "hello"}, {"sender": bob, "message": "there?"}]
    told: dict[str, Json] = {"to": {"uid": uid}, "messages": messages, "senderDetails": bob}
    kept: dict[str, Json] = {k: v for k, v in (told | data).items() if v is not None}
    return notify(envelope(kept, feed))
