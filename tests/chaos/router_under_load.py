"""A router under load that something is done to, and the ledger of promises and arrivals."""

import asyncio
import math
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.acceptance.router_process import OPERATOR, RouterProcess, live
from tests.chaos.database_rows import read_rows
from tests.chaos.load import Load
from tests.chaos.receiver import Receiver, receiving

SLOTS = 8
SETTLED_WITHIN = 2.0
"""Seconds after the provider's answer in which its record must be on disk, on a busy machine."""
DRAINED_WITHIN = 0.3
"""Seconds in which the receiver has read what the killed process had already written."""
STOPPED_WITHIN = 25.0
"""Seconds: ten for requests and sends in flight, five for outcomes, and some for a busy machine."""
PATIENCE = 120.0
HANDOUTS = 3
"""So many hand-outs without an answer are a crash loop."""

RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "{url}", concurrency: {slots}}}
rules:
  - name: everything
    send: [gateway]
"""

OPEN = (
    "SELECT id FROM deliveries WHERE (state = 'sending' OR state = 'waiting')"
    " AND channel = 'gateway'"
)
UNPLANNED = "SELECT id FROM notifications WHERE state = 'accepted'"
LEASED = "SELECT id FROM deliveries WHERE state = 'sending'"


@dataclass
class Trial:
    """A router under load; `judge` says whether every promise was kept."""

    name: str
    process: RouterProcess
    twin: RouterProcess
    """Another one on the same database, which is started only where it is wanted."""
    database: str
    load: Load
    receiver: Receiver
    kills: int = 0
    in_flight: list[set[str]] = field(default_factory=list)
    """For each time sends were broken off, the deliveries whose outcome was not on disk."""
    excused_at: dict[str, float] = field(default_factory=dict)
    """When each delivery was last in flight when sends were broken off."""
    leased: Counter[str] = field(default_factory=Counter)
    """How often each delivery was leased when sends were broken off."""
    may_expire: bool = False
    """Whether to expire is an end that a delivery may have here."""
    began: float = field(default_factory=time.monotonic)

    async def break_off(self) -> None:
        """Note what is in flight: begun, and of which nobody knows the outcome.

        One that was answered long ago, and is not on disk, was forgotten: that fails.
        """
        at = time.monotonic()
        await asyncio.sleep(DRAINED_WITHIN)
        begun: set[str] = set()
        for (delivery,) in await read_rows(self.database, LEASED):
            self.leased[delivery] += 1
            arrivals = self.receiver.arrivals.get(delivery, [])
            if not arrivals or arrivals[-1].began < self.excused_at.get(delivery, 0.0):
                continue  # not sent yet, or in flight at an earlier kill and still leased
            answered = arrivals[-1].answered
            assert answered is None or at - answered < SETTLED_WITHIN, delivery
            begun.add(delivery)
        self.in_flight.append(begun)
        self.excused_at |= dict.fromkeys(begun, time.monotonic())

    async def kill(self, process: RouterProcess | None = None) -> None:
        """Kill the process with everything it does, and note what that was."""
        (process or self.process).kill()
        self.kills += 1
        await self.break_off()

    async def settle(self) -> dict[str, tuple[str, str]]:
        """Wait until all for the receiver has ended; return state and reason of each delivery."""
        self.load.over.set()
        fewest, deadline = math.inf, time.monotonic() + PATIENCE
        while left := [
            *await read_rows(self.database, UNPLANNED),
            *await read_rows(self.database, OPEN),
        ]:
            if len(left) < fewest:
                fewest, deadline = len(left), time.monotonic() + PATIENCE
            assert time.monotonic() < deadline, "something is stuck\n" + await self._stuck()
            await asyncio.sleep(0.5)
        return await self._ends()

    async def end(self) -> float:
        """Stop the router in an orderly way; return how many seconds it took."""
        began = time.monotonic()
        assert await asyncio.to_thread(self.process.end, signal.SIGTERM) == 0
        return time.monotonic() - began

    def judge(self, ends: Mapping[str, tuple[str, str]]) -> None:
        """Fail unless all that was accepted arrived or ended in sight, and repeats have excuses.

        Prints the figures.
        """
        received = self.receiver.taken()
        repeated = sum(len(arrivals) - 1 for arrivals in received.values())
        arrived = Counter(arrivals[0].text for arrivals in received.values())
        promised = {f"{id_}-0": text for text, id_ in self.load.accepted.items()}
        lost = {
            delivery: ends.get(delivery)
            for delivery, text in promised.items()
            if not self._is_kept(delivery, text, ends.get(delivery), arrived)
        }
        in_flight = [len(at_kill) for at_kill in self.in_flight]
        print(  # noqa: T201 - the record of the run, shown by pytest -s
            f"\n{self.name}: {self.kills} kills, {len(promised)} accepted,"
            f" {len(arrived)} delivered, {len(lost)} lost, {repeated} repeated,"
            f" {sum(in_flight)} in flight at kills (at most {max(in_flight, default=0)}),"
            f" {Counter(state for state, _ in ends.values())['dead']} dead,"
            f" {Counter(state for state, _ in ends.values())['expired']} expired,"
            f" {self.load.unavailable} posts answered 503, {self.load.unreachable} unanswered,"
            f" {time.monotonic() - self.began:.0f} s"
        )
        assert not lost, f"{len(lost)} of {len(promised)} accepted notifications are lost: {lost}"
        assert set(ends) == set(promised), "some notification was planned twice, or never accepted"
        assert max(arrived.values()) == 1, "some text was accepted twice"
        for delivery, arrivals in received.items():
            excuses = sum(delivery in at_kill for at_kill in self.in_flight)
            assert len(arrivals) - 1 <= excuses, f"{delivery}: {arrivals}, {self.excused_at}"
        assert repeated <= sum(in_flight)

    def _is_kept(
        self, delivery: str, text: str, end: tuple[str, str] | None, arrived: Counter[str]
    ) -> bool:
        match end:
            case ("delivered", _):
                return bool(arrived[text])
            case ("expired", _):
                return self.may_expire
            case ("dead", "crash_loop"):
                return self.leased[delivery] >= HANDOUTS
            case _:
                return False

    async def _stuck(self) -> str:
        query = OPEN.replace("id", "state, reason, due_at, lease_until, handouts, attempts, id", 1)
        rows = await read_rows(self.database, query + " LIMIT 5")
        return f"now {time.time()}, {rows}\n" + self.process.log.read_text()[-3000:]

    async def _ends(self) -> dict[str, tuple[str, str]]:
        """Return the end of every delivery, as the API lists it."""
        ends: dict[str, tuple[str, str]] = {}
        async with aiohttp.ClientSession(headers=OPERATOR) as session:
            cursor: str | None = ""
            while cursor is not None:
                query = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
                async with session.get(self.process.url + "/v1/deliveries", params=query) as answer:
                    assert answer.status == 200, await answer.text()
                    page = await answer.json()
                ends |= {item["id"]: (item["state"], item["reason"]) for item in page["items"]}
                cursor = page["next"]
        return ends


@asynccontextmanager
async def on_trial(
    name: str,
    folder: Path,
    database: str,
    dice: random.Random,
    *,
    rules: str = RULES,
    pause: float = 0.02,
    with_twin: bool = False,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[Trial]:
    """Run a router on a database, with a receiver and clients; at the end all are gone."""
    async with receiving(dice) as receiver:
        (folder / "rules.yaml").write_text(rules.format(url=receiver.url, slots=SLOTS))
        settings = live(folder, database) | {"ROUTER_LOG_FORMAT": "json"} | dict(more or {})
        (folder / "twin").mkdir(exist_ok=True)
        process, twin = (RouterProcess(place, settings) for place in (folder, folder / "twin"))
        load = Load(process.url, twin.url if with_twin else "", pause=pause)
        trial = Trial(name, process, twin, database, load, receiver)
        posting: asyncio.Task[None] | None = None
        try:
            await asyncio.to_thread(process.start)
            if with_twin:
                await asyncio.to_thread(twin.start)
            posting = asyncio.create_task(trial.load.run())
            yield trial
            await posting
        finally:
            if posting is not None:
                posting.cancel()
                await asyncio.gather(posting, return_exceptions=True)
            process.kill()
            twin.kill()
