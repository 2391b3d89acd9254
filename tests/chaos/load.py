"""Clients that post one notification after the other, each until it gets its 200."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from tests.acceptance.client import payload
from tests.acceptance.router_process import COMETCHAT

PATIENCE = 3.0
"""Seconds after which a client takes a post for lost, and posts it again."""
AGAIN = 0.15
"""Seconds a client rests before it posts again what was not accepted."""


@dataclass
class Load:
    """What clients of a router got for their posts; times are monotonic."""

    url: str
    twin: str = ""
    """Where every other client posts to, if there are two."""
    clients: int = 12
    pause: float = 0.02
    """Seconds a client rests before each post."""
    rate: float | None = None
    """Posts per second of all clients together, instead of rests."""
    name: Callable[[int], str] = "uid-{}".format
    """What the recipients of each client are called; it has five."""
    accepted: dict[str, str] = field(default_factory=dict)
    """The id that each text got."""
    accepted_at: dict[str, float] = field(default_factory=dict)
    unavailable: int = 0
    """Posts that were answered 503."""
    unreachable: int = 0
    """Posts that got no answer."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Post until it is over."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with (
            aiohttp.ClientSession(headers=COMETCHAT, timeout=timeout) as session,
            asyncio.TaskGroup() as clients,
        ):
            for client in range(self.clients):
                clients.create_task(self._post_all(session, client))

    async def _post_all(self, session: aiohttp.ClientSession, client: int) -> None:
        number = 0
        began = time.monotonic()
        while not self.over.is_set():
            if self.rate is not None:
                due = began + (number + client / self.clients) * self.clients / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            text = f"message {number} of {self.name(client)}"
            body = payload(text, uid=f"{self.name(client)}-{number % 5}", number=number)
            id_: str | None = None
            rest = self.pause
            while id_ is None:
                await asyncio.sleep(rest)
                rest = AGAIN
                url = self.twin if self.twin and client % 2 else self.url
                id_ = await self._post(session, url, body)
            self.accepted[text] = id_
            self.accepted_at[text] = time.monotonic()
            number += 1

    async def _post(self, session: aiohttp.ClientSession, url: str, body: object) -> str | None:
        try:
            async with session.post(url + "/webhook", json=body) as answer:
                if answer.status == 200:
                    said = await answer.json()
                    return str(said["id"])
                assert answer.status == 503, await answer.text()
                assert int(answer.headers["retry-after"]) > 0
                self.unavailable += 1
        except (aiohttp.ClientError, TimeoutError):
            self.unreachable += 1
        return None
