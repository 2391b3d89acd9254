"""A message to one contact over one channel, and each try to send it."""

import re
from typing import Literal

from msgspec import Struct

from router.core.model.facts import Device
from router.core.model.message import Content, Message
from router.core.model.notification import Notification
from router.core.model.privacy import generic_title, redact_notification
from router.core.model.types import Operation, Priority, Privacy
from router.core.model.unless import WaitCondition

DeliveryState = Literal[
    "waiting", "sending", "delivered", "dead", "cancelled", "expired", "suppressed"
]
OPEN_STATES: frozenset[DeliveryState] = frozenset({"waiting", "sending"})
"""The states a delivery can still leave by itself."""

NotificationState = Literal[
    "accepted", "pending", "delivered", "partial", "undelivered", "dropped", "undecidable"
]


class Delivery(Struct, frozen=True, kw_only=True):
    """One message to one contact over one channel; times are epoch seconds.

    `id` is the notification's id, a dash and the delivery's ordinal in the decision, so that
    planning twice gives the same rows. `contact` is the id of the recipient's contact, empty
    for a fixed destination; `address` is what it said when the delivery was planned.
    `handouts` counts the leases given without an answer, `attempts` the answered tries.
    `lane` names what a channel sends one at a time and in order: the address, or the recipient
    (`appId` and uid) where the channel's destination is fixed, so that one recipient's hanging
    message does not stop everybody's.
    """

    id: str
    notification: str
    rule: str
    step: int
    channel: str
    contact: str = ""
    address: str = ""
    lane: str = ""
    state: DeliveryState = "waiting"
    reason: str = ""
    due_at: float
    expires_at: float
    lease_until: float = 0.0
    attempts: int = 0
    handouts: int = 0
    urgent: bool = False
    """A call that rings now: a share of the channel's slots is kept for these."""
    follows: bool = False
    """It must not overtake an earlier one of its lane about the same."""
    priority: Priority = "normal"
    privacy: Privacy = "none"
    about: str = ""
    """What it is about, as `topic_key` says: a message with its edits, a call."""
    collapse: str = ""
    content: Content
    handle: str = ""
    """What the provider calls it; of a change that goes out, what it calls the original."""
    operation: Operation = "send"
    original: str = ""
    """The delivery whose message it changes or takes back; empty where that is not known."""
    watch: WaitCondition | None = None
    """What makes it needless while it waits."""
    awaited: bool = False
    """Another one of its notification wants to hear of its end."""

    def address_to(
        self, notification: Notification, address: str, device: Device | None = None
    ) -> Message:
        """Return the message for the address as it reads now.

        The end of a call goes to everybody whose devices rang, by the notification of one of them.
        """
        words, quiet = self.content, self.operation == "retract"
        shown = redact_notification(notification, self.privacy)
        is_stop = quiet and notification.kind == "call"
        return Message(
            address=address,
            title=words.title,
            body=words.body,
            data=words.data,
            link=words.link,
            image=words.image,
            sound=words.sound,
            badge=None if is_stop else words.badge,
            priority=self.priority,
            expires=self.expires_at,
            collapse=self.collapse,
            kind=notification.kind,
            privacy=self.privacy,
            notification=generic_title(shown) if is_stop else shown,
            device=device,
            delivery=self.id,
            rule=self.rule,
            quiet=quiet,
        )


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of a delivery; `outcome` is the outcome's tag, `handle` the provider's id."""

    delivery: str
    number: int
    started_at: float
    ended_at: float
    outcome: str
    status: int | None = None
    handle: str = ""
    reason: str = ""


_SHORT = 6
_MAILBOX = re.compile(r"[^@:/\s]*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""Characters of an address of which four would give it away."""


def mask(address: str) -> str:
    """Return an address a person can recognise but nobody can use: first two, last two."""
    if _MAILBOX.fullmatch(address):
        name, _, domain = address.partition("@")
        return f"{name[:1]}…@{domain}"
    return f"{address[:2]}…{address[-2:]}" if len(address) > _SHORT else "…" * bool(address)
