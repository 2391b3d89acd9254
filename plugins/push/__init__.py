"""The plugin `push`: notifications to apps and browsers, through FCM, APNs and Web Push."""

from router import Register, hookimpl
from router.plugins.push.channel import Push


@hookimpl
def register_channels(register: Register) -> None:
    """Register the channel."""
    register(Push)
