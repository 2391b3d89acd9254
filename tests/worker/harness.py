"""A harness for a worker: a queue, channels that play a script, and planned deliveries."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from router.channel import Channel, Request, Response, Settings
from router.core.model.delivery import Attempt, Delivery
from router.core.model.facts import Contact
from router.core.model.message import Content, Message
from router.core.model.notification import Notification
from router.core.model.outcome import Delivered, Outcome
from router.core.model.recipient_guard import NO_GUARD, RecipientGuard
from router.telemetry import Metrics
from router.worker import Worker
from tests.worker.memory_queue import MemoryQueue
from tests.worker.virtual_time import now

Script = Callable[[Message], Awaitable[Outcome]]
HOUR = 3600.0


class Sent(NamedTuple):
    """One call of `Channel.send`, with the times it began and ended."""

    delivery: str
    message: Message
    began: float
    ended: float


class Nowhere:
    """A transport that no channel on this harness uses."""

    is_live = False

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - as the port has it
        raise NotImplementedError


async def deliver(message: Message) -> Outcome:
    """Play a provider that takes everything at once."""
    return Delivered(handle=f"handle of {message.delivery}")


class ScriptedSettings(Settings, frozen=True):
    """Nothing but what every channel takes."""


class Scripted(Channel[ScriptedSettings]):
    """A channel that plays a script and notes every send."""

    name = "scripted"
    Settings = ScriptedSettings

    def __init__(self, settings: ScriptedSettings, script: Script) -> None:
        super().__init__(settings, Nowhere())
        self.script = script
        self.sent: list[Sent] = []
        self.in_flight: Counter[str] = Counter()
        self.most_in_flight = 0
        self.most_ordinary = 0
        self.most_of_a_lane = 0

    async def send(self, message: Message) -> Outcome:
        began = now()
        ordinary = message.kind != "call"
        lane = message.address or message.notification.uid
        self.in_flight.update([lane, f"ordinary:{ordinary}"])
        self.most_of_a_lane = max(self.most_of_a_lane, self.in_flight[lane])
        ordinaries = self.in_flight["ordinary:True"]
        self.most_ordinary = max(self.most_ordinary, ordinaries)
        self.most_in_flight = max(
            self.most_in_flight, ordinaries + self.in_flight["ordinary:False"]
        )
        try:
            return await self.script(message)
        finally:
            self.in_flight.subtract([lane, f"ordinary:{ordinary}"])
            self.sent.append(Sent(message.delivery, message, began, now()))

    @property
    def order(self) -> list[str]:
        """The ids of the deliveries in the order in which their sends began."""
        return [sent.delivery for sent in sorted(self.sent, key=lambda sent: sent.began)]


class Collapsing(Scripted):
    """The same, of a provider that collapses repeats."""

    idempotent = True


@dataclass
class Harness:
    """A worker on a queue, with channels by name."""

    channels: dict[str, Scripted] = field(default_factory=dict)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    metrics: Metrics = field(default_factory=Metrics)
    dice: Callable[[], float] = lambda: 1.0
    app_caps: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self.worker = self.new_worker()

    def new_worker(self, guard: RecipientGuard = NO_GUARD) -> Worker:
        """Return another worker on the same queue, as after a restart."""
        return Worker(
            self.queue,
            self.queue.read,
            self.channels.get,
            self.metrics,
            names=lambda: self.channels,
            guard=guard,
            clock=now,
            dice=self.dice,
            app_cap=lambda app_id: self.app_caps.get(app_id, 0),
        )

    def open(
        self,
        script: Script = deliver,
        *,
        name: str = "ops",
        kind: type[Scripted] = Scripted,
        concurrency: int = 32,
        rate: str = "",
        limit: float = 15.0,
        cap: str = "",
    ) -> Scripted:
        """Configure a channel that plays a script."""
        settings = ScriptedSettings(concurrency=concurrency, rate=rate, timeout=limit, cap=cap)
        self.channels[name] = kind(settings, script)
        return self.channels[name]

    def plan(
        self,
        address: str = "a",
        *,
        channel: str = "ops",
        urgent: bool = False,
        handed: bool = False,
        forced: bool = False,
        contact: str = "",
        uid: str = "",
        due_in: float = 0.0,
        expires_in: float = HOUR,
        app_id: str = "app",
    ) -> str:
        """Accept a notification and plan its delivery.

        It is handed over when that is wished and there is room, or `forced`.
        """
        self._count += 1
        about = replace(
            notification(
                f"n{self._count:05}", uid or f"uid of {address}", urgent=urgent, accepted_at=now()
            ),
            app_id=app_id,
        )
        delivery = Delivery(
            id=f"{about.id}-0",
            notification=about.id,
            rule="rule",
            step=0,
            channel=channel,
            contact=contact,
            address=address,
            lane=address or about.uid,
            due_at=now() + due_in,
            expires_at=now() + expires_in,
            lease_until=now() + 30.0,
            urgent=urgent,
            content=Content(title="title", body="body"),
        )
        wished = forced or (handed and self.worker.room(channel))
        if self.queue.add(delivery, about, leased=wished):
            leased = self.queue.deliveries[delivery.id]
            self.worker.take(leased, about, self.queue.contacts.get(contact))
        else:
            self.worker.wake()
        return delivery.id

    def register(self, contact: str, address: str) -> None:
        """Register a contact, or change its address."""
        known = Contact(id=contact, kind="scripted", address=address)
        self.queue.contacts[contact] = known

    def state(self, delivery: str) -> tuple[str, str]:
        """Return the state of a delivery, and the reason for it."""
        row = self.queue.deliveries[delivery]
        return row.state, row.reason

    def tries(self, delivery: str) -> list[Attempt]:
        """Return the attempts that were written for a delivery."""
        return [attempt for attempt in self.queue.attempts if attempt.delivery == delivery]

    async def run(self, seconds: float) -> None:
        """Let the worker run for a while; sends in flight stay so."""
        task = asyncio.create_task(self.worker.run())
        await asyncio.sleep(seconds)
        assert not task.done(), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def crash(self, seconds: float) -> None:
        """Let the worker run for a while, kill it with everything it does, and start another."""
        others = asyncio.all_tasks()
        await self.run(seconds)
        orphans = asyncio.all_tasks() - others
        for orphan in orphans:
            orphan.cancel()
        await asyncio.gather(*orphans, return_exceptions=True)
        self.worker = self.new_worker()


def notification(name: str, uid: str, *, urgent: bool, accepted_at: float) -> Notification:
    """Return a notification of a call or of a message."""
    return Notification(
        id=name,
        key=name,
        event=name,
        feed="push",
        kind="call" if urgent else "message",
        guessed=False,
        app_id="app",
        uid=uid,
        region="eu",
        conversation="c",
        reply=False,
        mention=False,
        sent_at=None,
        accepted_at=accepted_at,
        data={},
        details={},
    )
