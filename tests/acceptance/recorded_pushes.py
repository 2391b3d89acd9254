"""What came over the wire to providers that note it: by device, in order, with the time."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from router.channel import Request
from router.testing import ProviderReply
from tests.acceptance.router_process import PATIENCE
from tests.fakes.answer import path_of, read_json
from tests.fakes.apns import Apns
from tests.fakes.fcm import Fcm
from tests.fakes.twilio import Twilio
from tests.fakes.webpush import Browser, PushService


def apple(name: str) -> str:
    """Return a device token as Apple gives out, the same for the same name."""
    return sha256(name.encode()).hexdigest()


@dataclass(frozen=True)
class Push:
    """What a device got, and when (an epoch second).

    The content is FCM's message, Apple's payload, what a browser reads, or a text's form; the
    headers are those of the request. The token of a browser is its endpoint, of a text the number.
    """

    token: str
    content: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    @property
    def body(self) -> str:
        """The words that are shown; those of a text in full."""
        data: dict[str, str] = self.content.get("data", self.content)
        return data["body"]


class Wire:
    """Everything that came over the wire, in order."""

    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self._news = asyncio.Event()

    def add(self, push: Push) -> None:
        self.pushes.append(push)
        self._news.set()

    def to(self, *tokens: str) -> list[Push]:
        """Return what went to these tokens."""
        return [push for push in self.pushes if push.token in tokens]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as it holds of what came."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()


class NotedFcm(Fcm):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def take(self, request: Request) -> ProviderReply:
        message: Any = read_json(request)["message"]
        self._wire.add(Push(message["token"], message))
        return super().take(request)


class NotedApns(Apns):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def take(self, request: Request) -> ProviderReply:
        token = path_of(request).rpartition("/")[2]
        self._wire.add(Push(token, read_json(request), request.headers))
        return super().take(request)


class NotedPushService(PushService):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire
        self.browser = Browser()

    def take(self, request: Request) -> ProviderReply:
        content: Any = self.browser.read(request.body)
        self._wire.add(Push(self.browser.endpoint, content, request.headers))
        return super().take(request)


class NotedTwilio(Twilio):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def answer_to(self, request: Request) -> ProviderReply:
        form = parse_qs(request.body.decode())
        self._wire.add(Push(form["To"][0], {"body": form["Body"][0]}))
        return super().answer_to(request)
