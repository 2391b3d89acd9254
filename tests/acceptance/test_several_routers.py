"""Several real routers on one PostgreSQL, under load and killed: nothing lost, order held.

Every client posts to all of them in turn, each message once the one before it got its 200.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.client import payload
from tests.acceptance.router_process import COMETCHAT, RouterProcess, live
from tests.chaos.database_rows import read_rows
from tests.chaos.load import PATIENCE as ANSWERED_WITHIN
from tests.chaos.receiver import Receiver, receiving

pytestmark = pytest.mark.slow

CLIENTS = 8
SLOTS = 8
PATIENCE = 120.0
REPEAT = 4
"""Every so many messages one is posted to two routers at the same moment."""
GROUP = 6
"""How many recipients an announcement has."""

RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "{url}", concurrency: {slots}}}
  board: {{plugin: webhook, url: "{url}?board", concurrency: {slots}}}
rules:
  - name: announcements
    when: {{sender: board}}
    send: [{{channel: board, once_per: message}}]
    stop: true
  - name: messages
    send: [gateway]
"""


@dataclass
class Fleet:
    """Routers, clients that post to them, and what became of it."""

    routers: list[RouterProcess]
    receiver: Receiver
    database: str
    accepted: dict[str, str] = field(default_factory=dict)
    """The id that each text got."""
    in_flight: list[set[str]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def post_all(self) -> None:
        """Let every client post until it is over."""
        async with posting() as session, asyncio.TaskGroup() as clients:
            for client in range(CLIENTS):
                clients.create_task(self._post_in_turn(session, client))

    async def announce(self, text: str) -> None:
        """Tell a group something, each member over another router, all at once."""
        bodies = [payload(text, uid=f"member-{number}", number=0) for number in range(GROUP)]
        for body in bodies:
            details = body["data"]["notificationDetails"]
            details |= {"sender": "board", "receiver": "all", "conversationId": "group_all"}
            details["sentAt"] = bodies[0]["data"]["notificationDetails"]["sentAt"]
        async with posting() as session:
            ids = await asyncio.gather(
                *(self._post(session, body, at) for at, body in enumerate(bodies))
            )
        assert None not in ids

    async def _post_in_turn(self, session: aiohttp.ClientSession, client: int) -> None:
        number, at = 0, client
        while not self.over.is_set():
            text = f"{client}: {number}"
            body = payload(text, uid=f"uid-{client}", number=number)
            ids: set[str] = set()
            while not ids:
                at += 1
                doors = (at, at + 1) if number % REPEAT == 0 else (at,)
                answers = await asyncio.gather(*(self._post(session, body, door) for door in doors))
                ids = {id_ for id_ in answers if id_ is not None}
                await asyncio.sleep(0.01)
            assert len(ids) == 1, f"{text} was accepted as {ids}"
            (self.accepted[text],) = ids
            number += 1

    async def _post(self, session: aiohttp.ClientSession, body: object, at: int) -> str | None:
        url = self.routers[at % len(self.routers)].url
        try:
            async with session.post(url + "/webhook", json=body) as answer:
                if answer.status == 200:
                    said = await answer.json()
                    return str(said["id"])
                assert answer.status == 503, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            pass
        return None

    async def kill(self, router: RouterProcess) -> None:
        """Kill a router; note what was in flight in any of them."""
        router.kill()
        leased = await read_rows(self.database, "SELECT id FROM deliveries WHERE state = 'sending'")
        self.in_flight.append({id_ for (id_,) in leased})

    async def settle(self) -> dict[str, str]:
        """Return the states of all deliveries when everything has ended."""
        open_ones = (
            "SELECT id FROM notifications WHERE state = 'accepted' UNION ALL"
            " SELECT id FROM deliveries WHERE state IN ('waiting', 'sending')"
        )
        deadline = time.monotonic() + PATIENCE
        while left := await read_rows(self.database, open_ones):
            assert time.monotonic() < deadline, left[:9]
            await asyncio.sleep(0.2)
        return dict(await read_rows(self.database, "SELECT id, state FROM deliveries"))

    def judge(self, states: dict[str, str]) -> None:
        """Fail unless every message arrived, once but for what was in flight, and in order."""
        arrivals = self.receiver.arrivals
        assert set(states) == {f"{id_}-0" for id_ in self.accepted.values()}
        assert Counter(states.values()) == {"delivered": len(states)}
        assert set(arrivals) == set(states)
        repeated = 0
        for id_, each in arrivals.items():
            repeated += len(each) - 1
            excuses = sum(id_ in at_kill for at_kill in self.in_flight)
            assert len(each) - 1 <= excuses, f"{id_} was sent {len(each)} times"
        for client in range(CLIENTS):
            began = {
                int(each[0].text.split(": ")[1]): each[0].began
                for each in arrivals.values()
                if each[0].text.startswith(f"{client}: ")
            }
            assert sorted(began, key=lambda number: began[number]) == sorted(began), client
        print(  # noqa: T201 - shown by pytest -s, for the record
            f"\n{len(self.routers)} routers, {len(self.in_flight)} kills, {len(states)} accepted"
            f" and delivered, {repeated} repeated,"
            f" {[len(at_kill) for at_kill in self.in_flight]} leased at the kills"
        )


@asynccontextmanager
async def posting() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session of CometChat."""
    timeout = aiohttp.ClientTimeout(total=ANSWERED_WITHIN)
    async with aiohttp.ClientSession(headers=COMETCHAT, timeout=timeout) as session:
        yield session


@asynccontextmanager
async def fleet(folder: Path, database: str, size: int) -> AsyncIterator[Fleet]:
    """Run so many routers on a database."""
    async with receiving(random.Random(size)) as receiver:  # noqa: S311 - no secret
        (folder / "rules.yaml").write_text(RULES.format(url=receiver.url, slots=SLOTS))
        settings = live(folder, database) | {"ROUTER_LOG_FORMAT": "json"}
        routers = []
        for number in range(size):
            (folder / str(number)).mkdir()
            routers.append(RouterProcess(folder / str(number), settings))
        try:
            await asyncio.gather(*(asyncio.to_thread(each.start) for each in routers))
            yield Fleet(routers, receiver, database)
        finally:
            for each in routers:
                each.kill()


@pytest.mark.parametrize(("size", "kills"), [(2, 2), (4, 0)])
async def test_routers_on_one_database_lose_nothing_repeat_nothing_and_keep_the_order(
    tmp_path: Path, postgres_url: str, size: int, kills: int
) -> None:
    dice = random.Random(size)  # noqa: S311 - no secret
    async with fleet(tmp_path, postgres_url, size) as running:
        clients = asyncio.create_task(running.post_all())
        try:
            await asyncio.sleep(2)
            for _ in range(kills):
                router = dice.choice(running.routers)
                before = len(running.accepted)
                await running.kill(router)
                await asyncio.sleep(dice.uniform(0.2, 1.0))
                assert len(running.accepted) > before, "the others do not take over"
                await asyncio.to_thread(router.start)
                await asyncio.sleep(dice.uniform(0.2, 1.0))
            running.over.set()
            await clients
        finally:
            clients.cancel()
        running.judge(await running.settle())


async def test_an_announcement_to_many_over_several_routers_is_made_once(
    tmp_path: Path, postgres_url: str
) -> None:
    async with fleet(tmp_path, postgres_url, 2) as running:
        texts = [f"announcement {number}" for number in range(20)]
        for text in texts:
            await running.announce(text)
        states = Counter((await running.settle()).values())
        assert states == {"delivered": len(texts), "suppressed": len(texts) * (GROUP - 1)}
        told = Counter(each[0].text for each in running.receiver.arrivals.values())
        assert told == Counter(texts)
