"""One send under way: what is sent, over what, and since when."""

from typing import Any, NamedTuple

import structlog
from msgspec.structs import replace

from router.channel import Channel, can_retract, can_update
from router.core.decide.targets import find_feed_address
from router.core.model.daily_cap import Cap
from router.core.model.delivery import Delivery
from router.core.model.message import Message
from router.core.model.outcome import Outcome, Rejected
from router.redaction import Redactor
from router.telemetry import describe_exception
from router.worker.attempt import TIMEOUT_MARGIN_S, attempt_send, log_fields
from router.worker.channel_gate import ChannelGate
from router.worker.lanes import SendJob, lane_of, recipient_of

STUCK_SEND_TIMEOUT_S = 5.0
"""Seconds that a send which was cancelled may take to end; then it is given up."""

_log = structlog.get_logger(__name__)


class ActiveSend(NamedTuple):
    """A send; `host` is where it goes if the channel tells hosts apart, `probed` if it probes.

    `country` is where the app's recipients' addresses are read. It counts against `caps` if its
    provider takes it.
    """

    job: SendJob
    channel: Channel[Any]
    gate: ChannelGate
    host: str
    probed: str
    began: float
    country: str = ""
    caps: tuple[Cap, ...] = ()

    def is_stuck(self, now: float) -> bool:
        """Return whether it neither ended nor let itself be cancelled."""
        limit: float = self.channel.settings.timeout + TIMEOUT_MARGIN_S + STUCK_SEND_TIMEOUT_S
        return now - self.began > limit

    async def attempt(self, redactor: Redactor) -> Outcome:
        """Return what one try came to."""
        seconds = self.channel.settings.timeout
        sent_to = ""

        async def transmit(message: Message) -> Outcome:
            nonlocal sent_to
            sent_to = message.address
            return await self._transmit(message)

        outcome = await attempt_send(transmit, self.message, redactor, seconds=seconds)
        if (
            isinstance(outcome, Rejected)
            and outcome.forget_contact
            and not self._is_about_contact(sent_to)
        ):
            return replace(outcome, forget_contact=False)
        return outcome

    def _is_about_contact(self, sent_to: str) -> bool:
        """Return whether an answer is about the contact: it was sent to as it was registered.

        An answer to a change by its handle is about the message that is to change.
        """
        contact = self.job.contact
        is_by_handle = self.job.delivery.operation != "send" and not self.channel.replaces
        return contact is not None and contact.address == sent_to and not is_by_handle

    async def _transmit(self, message: Message) -> Outcome:
        """Return what comes of the message: sent anew, or by what the original left."""
        delivery, channel = self.job.delivery, self.channel
        if delivery.operation == "update":
            return await channel.update(delivery.handle, message)
        if delivery.operation == "retract" and _can_retract_delivery(channel, delivery):
            return await channel.retract(delivery.handle)
        return await channel.send(message)

    def message(self) -> Message:
        """Return what is to be sent; raises `AddressError` where nothing can be sent to."""
        delivery, notification, contact = self.job
        address = self._normalize(contact.address if contact else delivery.address)
        return delivery.address_to(notification, address, contact.device if contact else None)

    def _normalize(self, address: str) -> str:
        """Return an address as the channel writes it, whatever was known when it was planned."""
        if not address:  # the destination is the channel's own
            return address
        kind = type(self.channel)
        delivery, notification, contact = self.job
        brought = find_feed_address(notification, kind.address_kind or kind.name)
        return kind.normalize_address(
            address,
            settings=self.channel.settings,
            country=self.country,
            is_fixed=contact is None and delivery.address != brought,
        )


def find_unsupported_reason(channel: Channel[Any], delivery: Delivery) -> str:
    """Return why a channel cannot do what a delivery asks; empty where it can."""
    able = {
        "send": True,
        "update": bool(delivery.handle) and can_update(type(channel)),
        "retract": channel.replaces or _can_retract_delivery(channel, delivery),
    }
    return "" if able[delivery.operation] else "cannot_change"


def _can_retract_delivery(channel: Channel[Any], delivery: Delivery) -> bool:
    return bool(delivery.handle) and can_retract(type(channel))


def find_recipient(channel: Channel[Any], job: SendJob) -> str:
    """Return the recipient that a refusal may be about, empty where the destination is fixed.

    All contacts of a person are one recipient: who blocks the sender blocks it on each device.
    """
    try:
        is_address = bool(channel.needs_contact(channel.settings))
    except Exception as fault:  # noqa: BLE001 - a plugin may raise anything
        _log.error(
            "exception in channel plugin", **log_fields(job.delivery), **describe_exception(fault)
        )
        is_address = True
    if not is_address:
        return ""
    if job.contact is None:
        return lane_of(job)[1]
    return f"{job.notification.app_id}\0{recipient_of(job)}"


def find_host(channel: Channel[Any], job: SendJob) -> str:
    """Return the host that a delivery goes to, empty where the channel tells none apart."""
    address = job.contact.address if job.contact else job.delivery.address
    try:
        return str(channel.host(address))
    except Exception as fault:  # noqa: BLE001 - a plugin may raise anything
        _log.error(
            "exception in channel plugin", **log_fields(job.delivery), **describe_exception(fault)
        )
        return ""
