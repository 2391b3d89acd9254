"""Where a step sends: to addresses of the file, to a channel's own place, or to contacts."""

from collections.abc import Sequence

from msgspec import Struct

from router.core.conditions.condition import ConditionSubject
from router.core.model.facts import Contact, Recipient
from router.core.model.feed import FEEDS
from router.core.model.notification import Notification
from router.core.model.payload import scalar
from router.core.rules.ruleset import ChannelSpec, Step


class StepTargets(Struct, frozen=True):
    """Where a step sends; `is_fixed` says that it does not depend on the recipient.

    `suppression` is the reason that keeps all of it back; then there is one contact without an
    address, so that it can be seen. `fault` says why nothing can be sent to the address of the one
    contact, which is as the feed brought it.
    """

    contacts: Sequence[Contact]
    is_fixed: bool = False
    suppression: str = ""
    fault: str = ""


_PLACE = Contact(id="", kind="", address="")
"""Stands for a destination that only the channel knows."""


def targets(
    step: Step, channel: ChannelSpec, subject: ConditionSubject, country: str
) -> StepTargets:
    """Return where a step sends over its channel; an address of a feed is read in the country."""
    recipient, notification = subject.recipient, subject.notification
    if (nowhere := _suppress(step, subject)) is not None:
        return nowhere
    if step.to:
        named = [Contact(id="", kind="", address=address) for address in dict.fromkeys(step.to)]
        return StepTargets(named, is_fixed=True)
    if not channel.address_kind:
        return StepTargets((_PLACE,), is_fixed=True)
    if raw := find_feed_address(notification, channel.address_kind):
        address = channel.read_address(raw, country)
        contact = Contact(id="", kind=channel.address_kind, address=address.address or raw)
        return StepTargets((contact,), fault=address.fault)
    contacts = [
        contact
        for contact in recipient.contacts
        if contact.kind == channel.address_kind and is_wanted(contact, channel, notification)
    ]
    return StepTargets(contacts) if contacts else StepTargets((_PLACE,), suppression="no_contact")


def _suppress(step: Step, subject: ConditionSubject) -> StepTargets | None:
    """Return the reason for which a recipient gets nothing of a step, if there is one."""
    recipient = subject.recipient
    if recipient.is_guarded:
        return StepTargets((_PLACE,), suppression="guarded")
    if step.channel in recipient.opt_outs:
        return StepTargets((_PLACE,), suppression="opted_out")
    if recipient.muted and is_muted(recipient, subject.notification.conversation, subject.now):
        return StepTargets((_PLACE,), suppression="muted")
    return None


def is_wanted(contact: Contact, channel: ChannelSpec, notification: Notification) -> bool:
    """Return whether a channel wants a contact to hear of a notification; of a device it says."""
    device = contact.device
    return device is None or channel.wants(
        channel.settings, notification, device.platform, device.provider_id
    )


def find_feed_address(notification: Notification, kind: str) -> str:
    """Return the address of a kind that a feed brings itself, as it brings it; else nothing.

    It stands in the place of the recipient's contacts of that kind.
    """
    to = notification.data.get("to")
    if notification.feed != kind or not isinstance(to, dict):
        return ""
    return scalar(to.get(FEEDS[notification.feed].address_key))


def is_muted(recipient: Recipient, conversation: str, now: float) -> bool:
    """Return whether the recipient muted a conversation until later than now, or for ever (0)."""
    until = recipient.muted.get(conversation)
    return until is not None and (until == 0 or until > now)
