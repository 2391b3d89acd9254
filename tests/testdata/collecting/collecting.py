"""A channel that collects garbage in the middle of everything."""

import gc
import time

from router import Channel, Delivered, Message, Outcome, Register, Settings, hookimpl


class CollectingSettings(Settings, frozen=True):
    """Settings of `plugin: collecting`."""


class Collecting(Channel[CollectingSettings]):
    """Collects with a message, on the event loop."""

    name = "collecting"
    Settings = CollectingSettings

    @classmethod
    def needs_contact(cls, settings: CollectingSettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return False."""
        return False

    collected_at = 0.0

    async def send(self, message: Message) -> Outcome:
        """Collect, once a second at most."""
        if time.monotonic() - self.collected_at >= 1:
            gc.collect()
            self.collected_at = time.monotonic()
        return Delivered()


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Collecting)
