"""The plugin `sms`: text messages, through any SMS provider that Apprise supports."""

from router import Register, hookimpl
from router.plugins.sms.channel import Sms


@hookimpl
def register_channels(register: Register) -> None:
    """Register the channel."""
    register(Sms)
