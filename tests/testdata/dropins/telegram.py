"""Deliver to a Telegram chat."""

from typing import Annotated

from msgspec import Meta

from router import Register, Secret, Settings, hookimpl
from router.bridge import AppriseChannel


class TelegramSettings(Settings, frozen=True):
    """Settings of `plugin: telegram`."""

    bot_token: Annotated[Secret, Meta(description="The token BotFather gave you.")]


class Telegram(AppriseChannel[TelegramSettings]):
    """One message to one chat."""

    name = "telegram"
    Settings = TelegramSettings
    url = "tgram://{bot_token}/{to}"


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Telegram)
