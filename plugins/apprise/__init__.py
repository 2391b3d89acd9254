"""The plugin `apprise`: messages to any service that Apprise supports, by its URL."""

from router import Register, hookimpl
from router.bridge import extend_plugin_class, share_service_answers
from router.plugins._service_answers import SERVICE_ANSWERS
from router.plugins.apprise.channel import Apprise
from router.plugins.apprise.matrix import SharedStoreMatrix


@hookimpl
def register_channels(register: Register) -> None:
    """Register the channel, and share its tables of answers with all channels."""
    share_service_answers(SERVICE_ANSWERS)
    extend_plugin_class(SharedStoreMatrix)
    register(Apprise)
