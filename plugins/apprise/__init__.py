"""Messages to any other service that Apprise knows."""

from router import Register, hookimpl
from router.bridge import extend_plugin_class, share_service_answers
from router.plugins._service_answers import SERVICE_ANSWERS
from router.plugins.apprise.channel import Apprise
from router.plugins.apprise.matrix import SharedStoreMatrix


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel, and its tables of answers to every channel that sends by Apprise."""
    share_service_answers(SERVICE_ANSWERS)
    extend_plugin_class(SharedStoreMatrix)
    register(Apprise)
