"""What a plugin author needs."""

from router.channel import Channel, Limits, Secret, Settings
from router.core.delivery import Attempt, Delivery
from router.core.errors import AddressError
from router.core.local_access import LocalAccess
from router.core.message import Message
from router.core.notification import Notification
from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
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
