"""What every part of the contract plays on: a channel opened over a script."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, ClassVar, Literal, TypeVar

from hypothesis import HealthCheck, settings
from msgspec import Struct, field

from router.channel import Channel, Request, Response, can_retract, can_update
from router.core.model.facts import Device
from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.model.types import Operation
from router.registry import PluginSchema
from router.testing.sample import make_message
from router.testing.script import ScriptedResult, ScriptedTransport

T = TypeVar("T")

HYPOTHESIS_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))
"""A channel is judged by what it does: not by its pace, nor by where its test is inherited."""

OutcomeType = type[Delivered | Rejected | Retry | Suspend | Unknown]


class ResponseCase(Struct, frozen=True, kw_only=True):
    """What a provider answers to the request that carries the message, and what it means.

    `means` is the outcome's class; `forget` whether the address is dead for every message;
    `after` the seconds it asks to wait; `handle` what it calls the message.
    """

    means: OutcomeType
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    forget: bool = False
    after: float | None = None
    handle: str = ""

    def to_response(self) -> Response:
        """Return the answer as it comes over the wire."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Response(status=self.status, headers=headers, body=self.body)


class ContractHarness:
    """The channel under test and how it is played."""

    channel: ClassVar[type[Channel[Any]]]
    settings: ClassVar[Mapping[str, Any]] = {}
    """As they would stand in `rules.yaml`, with secrets in the clear."""
    address: ClassVar[str] = ""
    """A sound address; empty where the destination is fixed."""
    device: ClassVar[Device | None] = None
    """What is known of the device behind the address."""
    answers: ClassVar[Mapping[str, ResponseCase]]
    """Answers by name; `ok` is the one to a message taken."""
    updates: ClassVar[Mapping[str, ResponseCase]] = {}
    """Answers to `update` by name, where the channel has it."""
    retractions: ClassVar[Mapping[str, ResponseCase]] = {}
    """Answers to `retract` by name, where the channel has it."""
    statuses: ClassVar[Mapping[int, OutcomeType]] = {}
    """What a bare status means to this provider, where it is not as HTTP or SMTP has it."""
    gone: ClassVar[Collection[int]] = ()
    """Bare statuses that say an address is dead for every message."""
    protocol: ClassVar[Literal["http", "smtp"]] = "http"
    """What its requests are."""

    runner: ClassVar[asyncio.Runner]
    """Runs every test of the class."""
    shared: ClassVar[tuple[Channel[Any], ScriptedTransport]]
    """The channel that plain sends go through, once open."""
    checked: ClassVar[object]
    """The settings as read, once there."""
    cached_sound_requests: ClassVar[list[Request]]
    """What carries a message to the sound address, once there."""

    def message(self, **changes: Any) -> Message:  # noqa: ANN401 - any field of a message
        """Return a message to the sound address."""
        return make_message(**{"address": self.address, "device": self.device} | changes)

    def unseal(self, request: Request) -> Request:
        """Return a request as its receiver reads it; override it where the body is encrypted."""
        return request

    def read_settings(self) -> Any:  # noqa: ANN401 - the channel's own class
        """Return the settings, checked as a rules file's are, once for all tests."""
        kind = type(self)
        if "checked" not in vars(kind):
            kind.checked = PluginSchema(self.channel).convert(self.settings)
        return kind.checked

    @classmethod
    def setup_class(cls) -> None:
        """Start the loop that all tests of the class share."""
        cls.runner = asyncio.Runner()

    @classmethod
    def teardown_class(cls) -> None:
        """Close what the tests shared, and the loop."""
        if "shared" in vars(cls):
            cls.runner.run(cls.shared[0].aclose())
            del cls.shared
        cls.runner.close()

    def open(self, transport: ScriptedTransport) -> Channel[Any]:
        """Return the channel over a script."""
        channel = self.channel(self.read_settings(), transport)
        transport.carries_message = getattr(channel, "carries_message", transport.carries_message)
        transport.aside = channel.sandbox
        return channel

    def share(self) -> tuple[Channel[Any], ScriptedTransport]:
        """Return the one channel of the class that plain sends go through."""
        kind = type(self)
        if "shared" not in vars(kind):
            transport = ScriptedTransport(None)
            kind.shared = self.open(transport), transport
        return kind.shared

    def send_scripted(
        self, line: ScriptedResult | Callable[[Request], ScriptedResult], message: Message
    ) -> Outcome:
        """Return what comes of a message when the provider answers so."""
        return self.send_and_collect(line, message)[0]

    def send_and_collect(
        self, line: ScriptedResult | Callable[[Request], ScriptedResult], message: Message
    ) -> tuple[Outcome, list[Request]]:
        """Return what comes of a message, and the requests that carried it."""

        async def send() -> tuple[Outcome, list[Request]]:
            channel, transport = self.share()
            transport.line, transport.carried = line, []
            outcome = await channel.send(message)
            return outcome, [self.unseal(request) for request in transport.carried]

        return self.runner.run(send())

    def list_changes(self) -> list[tuple[Operation, str]]:
        """Return what the channel can do to what it has shown, each with a handle to do it by."""
        handle = getattr(self.send_scripted(self.ok.to_response(), self.message()), "handle", "")
        able: dict[Operation, bool] = {
            "update": can_update(self.channel),
            "retract": can_retract(self.channel),
        }
        return [(operation, handle) for operation, is_able in able.items() if is_able and handle]

    def change(
        self,
        operation: Operation,
        handle: str,
        line: ScriptedResult | Callable[[Request], ScriptedResult],
    ) -> tuple[Outcome, list[Request]]:
        """Return what comes of a change of what was shown, and the requests that carried it."""

        async def make() -> tuple[Outcome, list[Request]]:
            channel, transport = self.share()
            transport.line, transport.carried = line, []
            return await self.make_change(channel, operation, handle), transport.carried

        return self.runner.run(make())

    def make_change(
        self, channel: Channel[Any], operation: Operation, handle: str
    ) -> Awaitable[Outcome]:
        """Change what was shown, or take it back."""
        if operation == "update":
            return channel.update(handle, self.message())
        return channel.retract(handle)

    def run(
        self,
        line: ScriptedResult | Callable[[Request], ScriptedResult],
        scene: Callable[[Channel[Any], ScriptedTransport], Awaitable[T]],
    ) -> T:
        """Play a scene with a channel of its own, and close it."""

        async def staged() -> T:
            transport = ScriptedTransport(line)
            channel = self.open(transport)
            try:
                return await scene(channel, transport)
            finally:
                await channel.aclose()

        return self.runner.run(staged())

    def carried(self, message: Message) -> list[Request]:
        """Return the requests that would carry a message that the provider takes."""
        return self.send_and_collect(self.ok.to_response(), message)[1]

    def sound_requests(self) -> list[Request]:
        """Return what carries a message to the sound address, found once for all tests."""
        kind = type(self)
        if "cached_sound_requests" not in vars(kind):
            kind.cached_sound_requests = self.carried(self.message())
        return kind.cached_sound_requests

    @property
    def changed(self) -> ResponseCase:
        """The answer to a change that was made: `ok` of `updates`, else that to a message."""
        return self.updates.get("ok", self.ok)

    @property
    def ok(self) -> ResponseCase:
        """The answer to a message taken."""
        return self.answers["ok"]
