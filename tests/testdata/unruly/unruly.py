"""A channel that does what no plugin should."""

import asyncio
import sys
import time
from typing import Annotated, Any, Literal, cast

from msgspec import Meta

from router import Channel, Delivered, Message, Outcome, Register, Retry, Settings, hookimpl

Deed = Literal["block", "exit", "interrupt", "cancel", "stop", "nothing", "number", "late", "leak"]


class UnrulySettings(Settings, frozen=True):
    """Settings of `plugin: unruly`."""

    does: Annotated[Deed, Meta(description="What it does when it shall send.")]
    seconds: Annotated[float, Meta(description="How long it blocks the first time.")] = 0.0


class Outcry(BaseException):
    """No `Exception`."""


class Unruly(Channel[UnrulySettings]):
    """Does something else than sending."""

    name = "unruly"
    Settings = UnrulySettings
    share = 1.0
    """Of the seconds, that it blocks the next time."""

    @classmethod
    def needs_contact(cls, settings: UnrulySettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return False."""
        return False

    async def send(self, message: Message) -> Outcome:
        """Do it."""
        match self.settings.does:
            case "block":
                seconds, self.share = self.settings.seconds * self.share, 0.01
                time.sleep(seconds)  # noqa: ASYNC251 - that is what is tried
                return Delivered()
            case "exit":
                sys.exit("enough")
            case "interrupt":
                raise KeyboardInterrupt
            case "cancel":
                raise asyncio.CancelledError
            case "stop":
                raise Outcry
            case "nothing":
                return cast("Outcome", None)
            case "number":
                return cast("Outcome", 42)
            case "late":
                soon: Any = "soon"
                return Retry(reason="", after=soon, status=soon)
            case "leak":
                asyncio.get_running_loop().create_task(_cry_out())
                return Delivered()


async def _cry_out() -> None:
    raise Outcry


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Unruly)
