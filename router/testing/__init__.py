"""What a plugin author tests with: the channel contract and a scripted provider."""

import pytest

pytest.register_assert_rewrite("router.testing.contract")

from router.testing.contract import ChannelContract, ResponseCase  # noqa: E402 - rewritten first
from router.testing.provider import FakeProvider, ProviderReply  # noqa: E402 - the same
from router.testing.sample import make_message  # noqa: E402 - the same
from router.testing.script import ScriptedTransport  # noqa: E402 - the same

__all__ = [
    "ChannelContract",
    "FakeProvider",
    "ProviderReply",
    "ResponseCase",
    "ScriptedTransport",
    "make_message",
]
