"""What a plugin author needs."""

from router.channel import Channel, Limits, Secret, Settings
from router.core.errors import AddressError
from router.core.model.delivery import Attempt, Delivery
from router.core.model.local_access import LocalAccess
from router.core.model.message import Message
from router.core.model.notification import Notification
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.hookspecs import Register, hookimpl

__all__ = [
    "AddressError",
    "Attempt",
    "Channel",
    "Delivered",
    "Delivery",
    "Limits",
    "LocalAccess",
    "Message",
    "Notification",
    "Outcome",
    "Register",
    "Rejected",
    "Retry",
    "Secret",
    "Settings",
    "Suspend",
    "Unknown",
    "hookimpl",
]
