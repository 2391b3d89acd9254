"""Where a step sends: to addresses of the file, to a channel's own place, or to contacts."""

from collections.abc import Sequence
from typing import NamedTuple

from router.core.condition import Subject
from router.core.facts import Contact, Recipient
from router.core.notification import Notification
from router.core.payload import scalar
from router.core.ruleset import Step

_FEED_ADDRESS = {"email": "email", "sms": "phno"}
"""Where in `data.to` a feed brings an address itself; the kind of contact is the feed's name."""


class Target(NamedTuple):
    """One place to send to; `is_fixed` says that it does not depend on the recipient."""

    contact: str = ""
    address: str = ""
    is_fixed: bool = False


def targets(step: Step, address_kind: str, subject: Subject) -> tuple[Sequence[Target], str]:
    """Return where a step sends, and the reason that keeps all of it back, or ``""``.

    What is kept back has one target without an address, so that it can be seen.
    """
    recipient, notification = subject.recipient, subject.notification
    if step.channel in recipient.opt_outs:
        return (Target(),), "opted_out"
    if is_muted(recipient, notification.conversation, subject.now):
        return (Target(),), "muted"
    if step.to:
        return [Target("", address, is_fixed=True) for address in dict.fromkeys(step.to)], ""
    if not address_kind:
        return (Target(is_fixed=True),), ""
    found = contacts(notification, recipient, address_kind)
    if not found:
        return (Target(),), "no_contact"
    return [Target(contact.id, contact.address) for contact in found], ""


def contacts(notification: Notification, recipient: Recipient, kind: str) -> Sequence[Contact]:
    """Return the recipient's contacts of a kind; an address that a feed brings stands alone."""
    if notification.feed == kind:
        to = notification.data.get("to")
        address = scalar(to.get(_FEED_ADDRESS.get(kind, ""))) if isinstance(to, dict) else ""
        if address:
            return (Contact(id="", kind=kind, address=address),)
    return [contact for contact in recipient.contacts if contact.kind == kind]


def is_muted(recipient: Recipient, conversation: str, now: float) -> bool:
    """Return whether the recipient muted a conversation until later than now, or for ever (0)."""
    until = recipient.muted.get(conversation)
    return until is not None and (until == 0 or until > now)
