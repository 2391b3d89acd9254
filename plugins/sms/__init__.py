"""Text messages, through any SMS provider that Apprise knows."""

from router import Register, hookimpl
from router.plugins.sms.channel import Sms


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Sms)
