"""A channel that collects garbage in the middle of everything, and measures the event loop."""

import asyncio
import gc
import sys
import time
from contextlib import suppress

from router import Channel, Delivered, Message, Outcome, Register, Settings, hookimpl

BEAT_S = 0.005
"""Seconds between two looks at the processor time: turns that take less are added up."""


class CollectingSettings(Settings, frozen=True):
    """Settings of `plugin: collecting`."""


class Collecting(Channel[CollectingSettings]):
    """Collects with a message, on the event loop; writes its longest turn when it closes.

    That is in processor time of the loop's thread: a busy machine takes longer, and no more.
    """

    name = "collecting"
    Settings = CollectingSettings

    @classmethod
    def needs_contact(cls, settings: CollectingSettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return False."""
        return False

    collected_at = 0.0
    longest = 0.0
    beating: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        """Write what was measured."""
        if self.beating is not None:
            self.beating.cancel()
            with suppress(asyncio.CancelledError):
                await self.beating
        sys.stderr.write(f"longest turn {self.longest * 1000:.0f} ms\n")
        await super().aclose()

    async def _beat(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(BEAT_S)
            self.longest = max(self.longest, time.thread_time() - before)

    async def send(self, message: Message) -> Outcome:
        """Collect, once a second at most."""
        if self.beating is None:
            self.beating = asyncio.create_task(self._beat())
        if time.monotonic() - self.collected_at >= 1:
            gc.collect()
            self.collected_at = time.monotonic()
        return Delivered()


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Collecting)
