"""One send under way: what is sent, over what, and since when."""

from typing import Any, NamedTuple

import structlog

from router.channel import Channel
from router.core.delivery import Delivery
from router.core.message import Message
from router.telemetry import name_fault
from router.worker.attempt import MARGIN
from router.worker.gate import Gate
from router.worker.lanes import Handout

STUBBORN = 5.0
"""Seconds that a send which was cancelled may take to end; then it is given up."""

_log = structlog.get_logger("router.worker")


class Sending(NamedTuple):
    """A send; `host` is where it goes if the channel tells hosts apart, `probed` if it probes."""

    handout: Handout
    channel: Channel[Any]
    gate: Gate
    host: str
    probed: str
    began: float

    def is_lost(self, now: float) -> bool:
        """Return whether it neither ended nor let itself be cancelled."""
        limit: float = self.channel.settings.timeout + MARGIN + STUBBORN
        return now - self.began > limit

    def message(self) -> Message:
        """Return what is to be sent."""
        delivery, notification, contact = self.handout
        if contact is None:
            return delivery.address_to(notification, delivery.address)
        return delivery.address_to(notification, contact.address, contact.device)


def names_of(delivery: Delivery) -> dict[str, str]:
    """Return what every log line about a delivery carries."""
    return {
        "notification": delivery.notification,
        "delivery": delivery.id,
        "channel": delivery.channel,
    }


def find_host(channel: Channel[Any], handout: Handout) -> str:
    """Return the host that a delivery goes to, empty where the channel tells none apart."""
    address = handout.contact.address if handout.contact else handout.delivery.address
    try:
        return str(channel.host(address))
    except Exception as fault:  # noqa: BLE001 - a plugin may raise anything
        _log.error("channel raised", **names_of(handout.delivery), **name_fault(fault))
        return ""
