"""What the conformance suites play with: notifications, plans, and deliveries of any shape."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import msgspec

from router.core.model.delivery import Attempt, Delivery
from router.core.model.facts import OnceKey, StateChanges
from router.core.model.message import Content
from router.core.model.notification import Notification, derive
from router.core.model.payload import decode
from router.queue.ports import AcceptedPayload, Journal, Lease, Plan, PlanResults, Queue, Receipt

START = 1_800_000_000.0
HOUR = 3600.0


class Engine(Protocol):
    """An engine under test."""

    @property
    def journal(self) -> Journal: ...

    @property
    def queue(self) -> Queue: ...

    async def crash(self) -> None:
        """Lose everything in memory, as `kill -9` does, and open what is on disk again."""

    async def delivery(self, id_: str) -> Delivery:
        """Return a delivery as it is."""

    async def state(self, notification: str) -> str:
        """Return the state of a notification."""

    async def attempts(self, delivery: str) -> Sequence[Attempt]:
        """Return the attempts of a delivery."""

    async def holder(self, key: OnceKey) -> str | None:
        """Return the delivery that holds a once-key."""


def body_of(uid: str, text: str, *, sent_at: float = START) -> bytes:
    return msgspec.json.encode(
        {
            "trigger": "push-notification-payload-generated",
            "appId": "app",
            "webhook": "custom",
            "data": {
                "to": {"uid": uid},
                "notificationDetails": {
                    "title": "Ann",
                    "body": text,
                    "sentAt": int(sent_at * 1000),
                },
            },
        }
    )


@dataclass
class QueueRows:
    """Appends and plans on an engine; each call makes something new."""

    engine: Engine
    now: float = START
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def entry(self, uid: str = "bob", text: str = "", window: float = 24 * HOUR) -> AcceptedPayload:
        number = next(self.numbers)
        body = body_of(uid, text or f"text {number}")
        notification = derive(decode(body), id=f"{number:028x}", accepted_at=self.now)
        return AcceptedPayload(notification=notification, body=body, window=window)

    async def append(self, **fields: Any) -> Receipt:  # noqa: ANN401 - a struct's
        return await self.engine.journal.append(self.entry(**fields))

    async def accept(self, **fields: Any) -> Notification:  # noqa: ANN401 - a struct's
        entry = self.entry(**fields)
        await self.engine.journal.append(entry)
        return entry.notification

    def delivery(self, notification: str, ordinal: int = 0, **fields: Any) -> Delivery:  # noqa: ANN401 - a struct's
        return Delivery(
            **{
                "id": f"{notification}-{ordinal}",
                "notification": notification,
                "rule": "chat",
                "step": ordinal,
                "channel": "app",
                "address": notification,
                "due_at": self.now,
                "expires_at": self.now + HOUR,
                "content": Content(title="Ann", body="hello"),
                **fields,
            }
        )

    def plan(self, notification: str, *deliveries: Delivery, **fields: Any) -> Plan:  # noqa: ANN401 - a struct's
        return Plan(
            **{
                "notification": notification,
                "decided_at": self.now,
                "state": "pending" if deliveries else "dropped",
                "version": "v1",
                "matched": ("chat",),
                "deliveries": deliveries,
                "effects": StateChanges(),
                **fields,
            }
        )

    async def put(self, **fields: Any) -> str:  # noqa: ANN401 - a struct's
        """Accept and plan one delivery; return its id."""
        notification = await self.accept()
        delivery = self.delivery(notification.id, **fields)
        await self.engine.journal.settle([self.plan(notification.id, delivery)])
        return delivery.id

    async def settle(self, plan: Plan) -> PlanResults:
        return await self.engine.journal.settle([plan])

    async def claim(self, limit: int = 100, lease: float = 30.0, **fields: Any) -> Sequence[Lease]:  # noqa: ANN401 - a struct's
        return await self.engine.queue.claim(
            now=self.now, until=self.now + lease, limit=limit, **fields
        )

    async def claimed(self, limit: int = 100, **fields: Any) -> list[str]:  # noqa: ANN401 - a struct's
        return [lease.delivery for lease in await self.claim(limit, **fields)]

    def attempt(self, delivery: str, number: int = 1, outcome: str = "delivered") -> Attempt:
        return Attempt(
            delivery=delivery,
            number=number,
            started_at=self.now,
            ended_at=self.now + 0.2,
            outcome=outcome,
            status=200,
            handle="handle",
            reason="because",
        )
