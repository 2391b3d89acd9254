"""A channel that gives its secret away in every way a plugin can."""

import asyncio
import logging
import threading
import warnings
from typing import Annotated

import structlog
from msgspec import Meta

from router import Channel, Message, Outcome, Register, Rejected, Retry, Secret, Settings, hookimpl


class LeakySettings(Settings, frozen=True):
    """Settings of `plugin: leaky`."""

    token: Annotated[Secret, Meta(description="What it gives away.")]
    spare: Secret | None = None

    def __post_init__(self) -> None:
        """Complain about the secret by quoting it."""
        if self.token.reveal().startswith("bad"):
            raise ValueError(f"token: {self.token.reveal()} is bad")


class Leaky(Channel[LeakySettings]):
    """Tells everybody."""

    name = "leaky"
    Settings = LeakySettings

    @classmethod
    def needs_contact(cls, settings: LeakySettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return False."""
        return False

    async def send(self, message: Message) -> Outcome:
        """Give the secret away, each time in another way."""
        told = (
            f"{self.settings.token.reveal()} {self.settings.spare and self.settings.spare.reveal()}"
        )
        logging.getLogger("leaky").debug("opened with %s", told)
        logging.getLogger("leaky").warning("refused: %s", told)
        structlog.get_logger("leaky").error(told, request={"url": told, "list": [told]})
        structlog.get_logger("router.leaky").debug(told, settings=self.settings)
        warnings.warn(told, stacklevel=1)
        self._stray = asyncio.create_task(self._fail(told))
        asyncio.get_running_loop().call_soon(int, told)
        threading.Thread(target=int, args=(told,)).start()
        way = sum(message.delivery.encode()) % 3
        if way == 0:
            raise RuntimeError(told)
        return Retry(reason=told) if way == 1 else Rejected(reason=f"{told} to {message.address}")

    async def _fail(self, told: str) -> None:
        raise RuntimeError(told)


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Leaky)
