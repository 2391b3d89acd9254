"""The proof that a channel keeps the contract; subclass it in a test file."""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct, field

from router.channel import Channel
from router.core.outcome import Outcome


class Answer(Struct, frozen=True, kw_only=True):
    """What a provider answers to the request that carries the message, and what it means.

    `means` is the outcome's class; `forget` whether the address is dead for every message;
    `after` the seconds it asks to wait; `handle` what it calls the message.
    """

    means: type[Outcome]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    forget: bool = False
    after: float | None = None
    handle: str = ""


class ChannelContract:
    """Every test a channel must pass.

    class TestTelegram(ChannelContract):
        channel = Telegram
        settings = {"bot_token": "123456789:abcdefg_hijklmnop"}
        address = "12315544"
        answers = {
            "ok": Answer(means=Delivered, body=b'{"ok": true}'),
            "a blocked bot": Answer(means=Rejected, status=403, forget=True),
        }
    """

    channel: ClassVar[type[Channel[Any]]]
    settings: ClassVar[Mapping[str, object]] = {}
    """As they would stand in `rules.yaml`, with secrets in the clear."""
    address: ClassVar[str] = ""
    """A sound address; empty where the destination is fixed."""
    answers: ClassVar[Mapping[str, Answer]]
    """Answers by name; `ok` is the one to a message taken."""
    statuses: ClassVar[Mapping[int, Outcome | type[Outcome]]] = {}
    """What a bare status means to this provider, where it is not as HTTP has it."""
