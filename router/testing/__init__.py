"""What a plugin author tests with: the channel contract and a scripted provider."""

from router.testing.contract import Answer, ChannelContract
from router.testing.provider import Provider, Reply

__all__ = ["Answer", "ChannelContract", "Provider", "Reply"]
