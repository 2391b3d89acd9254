"""A channel that does not end when it is told to."""

import asyncio
import threading
import time
from typing import Annotated, Literal

from msgspec import Meta

from router import Channel, Delivered, Message, Outcome, Register, Settings, hookimpl

Deed = Literal["swallow", "leak", "wait", "thread", "close", "block"]
LONG = 3600.0


class StubbornSettings(Settings, frozen=True):
    """Settings of `plugin: stubborn`."""

    does: Annotated[Deed, Meta(description="What it does when it shall send.")]


class Stubborn(Channel[StubbornSettings]):
    """Goes on."""

    name = "stubborn"
    Settings = StubbornSettings

    @classmethod
    def needs_contact(cls, settings: StubbornSettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return False."""
        return False

    async def send(self, message: Message) -> Outcome:
        """Do it."""
        match self.settings.does:
            case "swallow":
                await _swallow()
            case "leak":
                asyncio.get_running_loop().create_task(_swallow(), name="a task of its own")
            case "wait":
                await asyncio.to_thread(time.sleep, LONG)
            case "thread":
                threading.Thread(
                    target=time.sleep, args=(LONG,), name="a thread of its own"
                ).start()
            case "block":
                time.sleep(LONG)  # noqa: ASYNC251 - that is what is tried
            case "close":
                pass
        return Delivered()

    async def aclose(self) -> None:
        """Close, or not."""
        if self.settings.does == "close":
            await _swallow()


async def _swallow() -> None:
    while True:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            continue


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Stubborn)
