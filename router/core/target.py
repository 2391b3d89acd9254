"""Where a step sends: to addresses of the file, to a channel's own place, or to contacts."""

from collections.abc import Sequence

from msgspec import Struct

from router.core.condition import Subject
from router.core.facts import Contact, Recipient
from router.core.notification import Notification
from router.core.payload import scalar
from router.core.ruleset import ChannelSpec, Step

_FEED_ADDRESS = {"email": "email", "sms": "phno"}
"""Where in `data.to` a feed brings an address itself; the kind of contact is the feed's name."""


class Targets(Struct, frozen=True):
    """Where a step sends; `is_fixed` says that it does not depend on the recipient.

    `suppression` is the reason that keeps all of it back; then there is one contact without an
    address, so that it can be seen.
    """

    contacts: Sequence[Contact]
    is_fixed: bool = False
    suppression: str = ""


_PLACE = Contact(id="", kind="", address="")
"""Stands for a destination that only the channel knows."""


def targets(step: Step, channel: ChannelSpec, subject: Subject) -> Targets:
    """Return where a step sends over its channel."""
    recipient, notification = subject.recipient, subject.notification
    if step.channel in recipient.opt_outs:
        return Targets((_PLACE,), suppression="opted_out")
    if recipient.muted and is_muted(recipient, notification.conversation, subject.now):
        return Targets((_PLACE,), suppression="muted")
    if step.to:
        named = [Contact(id="", kind="", address=address) for address in dict.fromkeys(step.to)]
        return Targets(named, is_fixed=True)
    if not channel.address_kind:
        return Targets((_PLACE,), is_fixed=True)
    found = contacts(notification, recipient, channel.address_kind)
    found = [each for each in found if is_wanted(each, channel, notification)]
    return Targets(found) if found else Targets((_PLACE,), suppression="no_contact")


def is_wanted(contact: Contact, channel: ChannelSpec, notification: Notification) -> bool:
    """Return whether a channel wants a contact to hear of a notification; of a device it says."""
    device = contact.device
    return device is None or channel.wants(
        channel.settings, notification, device.platform, device.provider_id
    )


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
