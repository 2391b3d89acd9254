"""The fields that a delivery keeps from its decision to the log."""

from typing import Any

from msgspec import Struct

from router.core.model.types import Operation, Priority, Privacy


class DeliveryRecord(Struct, frozen=True, kw_only=True):
    """A message to one contact over one channel, however far it has come; times are epoch seconds.

    `id` is the notification's id, a dash and the delivery's ordinal in the decision, so that
    planning twice gives the same rows. `contact` is the id of the recipient's contact, empty
    for a fixed destination; `address` is its address when the delivery was planned.
    `lane` names what a channel sends one at a time and in order: the address, or the recipient
    (`appId` and uid) where the channel's destination is fixed, so that one recipient's hanging
    message does not stop everybody's.

    A field that is added here and to the table `deliveries` is planned, stored, read and found
    by later edits without another line of code.
    """

    id: str
    rule: str
    step: int
    channel: str
    contact: str = ""
    address: str = ""
    lane: str = ""
    reason: str = ""
    due_at: float
    expires_at: float
    urgent: bool = False
    """A call that rings now: a share of the channel's slots is kept for these."""
    follows: bool = False
    """It must not overtake an earlier one of its lane about the same topic."""
    priority: Priority = "normal"
    privacy: Privacy = "none"
    about: str = ""
    """The topic, the notification's `topic`: a message with its edits, a call."""
    collapse: str = ""
    """The key under which a provider replaces it by a later one."""
    operation: Operation = "send"
    original: str = ""
    """The delivery whose message it changes or takes back; empty where that is not known."""


def copied_fields(source: DeliveryRecord, target: type[Struct]) -> dict[str, Any]:
    """Return the fields of a delivery that another form of it has too."""
    names = source.__struct_fields__
    return {name: getattr(source, name) for name in target.__struct_fields__ if name in names}
