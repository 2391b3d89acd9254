"""A team's gateway that remembers every request: when it began and when it was answered."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from tests.acceptance.webhook_gateway import answering


@dataclass
class Arrival:
    """One request for a delivery; `answered` stays None if the answer never went out.

    One that is `refused` was answered 503, and has to come again.
    """

    text: str
    began: float
    answered: float | None = None
    refused: bool = False


@dataclass
class Receiver:
    """Takes webhooks on loopback, each after a moment; times are monotonic."""

    dice: random.Random
    slowest: float = 0.05
    refusing: float = 0.0
    """Which share of the requests is refused."""
    in_hand: int = 0
    """How many requests are being answered."""
    url: str = ""
    arrivals: dict[str, list[Arrival]] = field(default_factory=lambda: defaultdict(list))

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        content = await request.json()
        refused = self.dice.random() < self.refusing
        arrival = Arrival(content["body"], time.monotonic(), refused=refused)
        self.arrivals[request.headers["webhook-id"]].append(arrival)
        self.in_hand += 1
        await asyncio.sleep(self.dice.uniform(0, self.slowest))
        self.in_hand -= 1
        response = web.Response(status=503 if refused else 204)
        with suppress(ConnectionError):  # whoever asked is dead
            await response.prepare(request)
            await response.write_eof()
            arrival.answered = time.monotonic()
        return response

    def taken(self) -> dict[str, list[Arrival]]:
        """Return the requests that were not refused, by delivery."""
        taken = {
            delivery: [arrival for arrival in arrivals if not arrival.refused]
            for delivery, arrivals in self.arrivals.items()
        }
        return {delivery: arrivals for delivery, arrivals in taken.items() if arrivals}


@asynccontextmanager
async def receiving(dice: random.Random) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver(dice)
    async with answering(receiver.take) as url:
        receiver.url = url
        yield receiver
