"""Messages to test channels with."""

from typing import Any

from msgspec.structs import replace

from router.core.model.message import Message
from router.core.model.notification import Notification

NOW = 1_760_000_000.0
NEVER = 4_102_444_800.0
"""An end far ahead: the year 2100."""

NOTIFICATION = Notification(
    id="00000000000000000000000001",
    key="key",
    event="event",
    feed="push",
    kind="message",
    guessed=False,
    app_id="app",
    uid="anna",
    region="eu",
    conversation="user:ben",
    reply=False,
    mention=False,
    sent_at=NOW,
    accepted_at=NOW,
    data={"to": {"uid": "anna"}},
    details={"title": "Ben", "body": "Lunch?", "sender": "ben", "receiver": "anna"},
)


def make_message(**changes: Any) -> Message:  # noqa: ANN401 - any field of a message
    """Return a message as the router would hand it over, changed where the caller says so."""
    message = Message(
        address="",
        title="Ben",
        body="Lunch?",
        data={"conversation": "user:ben"},
        expires=NEVER,
        collapse="user:ben",
        kind="message",
        notification=NOTIFICATION,
        delivery=f"{NOTIFICATION.id}-0",
        rule="chat",
    )
    return replace(message, **changes)
