"""A message to one contact over one channel, and each try to send it."""

import re
from typing import Literal

from msgspec import Struct

from router.core.model.delivery_record import DeliveryRecord
from router.core.model.facts import Device
from router.core.model.message import Content, Message
from router.core.model.notification import Notification
from router.core.model.privacy import generic_title, redact_notification
from router.core.model.unless import WaitCondition

DeliveryState = Literal[
    "waiting", "sending", "delivered", "dead", "cancelled", "expired", "suppressed"
]
OPEN_STATES: frozenset[DeliveryState] = frozenset({"waiting", "sending"})
"""The states a delivery can still leave by itself."""

NotificationState = Literal[
    "accepted", "pending", "delivered", "partial", "undelivered", "dropped", "undecidable"
]


class Delivery(DeliveryRecord, frozen=True, kw_only=True):
    """A delivery as it is stored and sent; times are epoch seconds.

    `handouts` counts the leases given without an answer, `attempts` the answered tries.
    """

    notification: str
    state: DeliveryState = "waiting"
    lease_until: float = 0.0
    attempts: int = 0
    handouts: int = 0
    content: Content
    handle: str = ""
    """The provider's id of the message; of a change that goes out, the id of the original."""
    watch: WaitCondition | None = None
    """The events that make it needless while it waits."""
    awaited: bool = False
    """Another delivery of its notification waits for its end."""

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


_MAX_HIDDEN_LENGTH = 6
_MAILBOX = re.compile(r"[^@:/\s]*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""Characters of an address of which four would give it away."""


def mask(address: str) -> str:
    """Return an address a person can recognise but nobody can use: first two, last two."""
    if _MAILBOX.fullmatch(address):
        name, _, domain = address.partition("@")
        return f"{name[:1]}…@{domain}"
    return (
        f"{address[:2]}…{address[-2:]}"
        if len(address) > _MAX_HIDDEN_LENGTH
        else "…" * bool(address)
    )
