"""Eight workers on one database send to a hundred recipients, whatever goes wrong."""

import asyncio
import random
import shutil
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from router.core.model.notification import Notification
from tests.conftest import url_of
from tests.postgres import Databases
from tests.worker.rival_worker import Provider, Rival
from tests.worker.sending_laws import ENDS, Fates, Planned
from tests.worker.sql_harness import TimelessDatabase
from tests.worker.test_many_recipients import draw
from tests.worker.virtual_time import run_in_virtual_time, threaded

pytestmark = pytest.mark.slow

WORKERS, SLOTS = 8, 4
RECIPIENTS, MESSAGES = 100, 10
BURST = 60
MISHAPS = 3
"""How many workers are killed, and how many are stalled."""


class Rivals:
    """The workers, and those that stood in their places before."""

    def __init__(self, url: str, dice: random.Random) -> None:
        self.url = url
        self.dice = dice
        self.fates, self.provider = Fates(), Provider()
        self.all: list[Rival] = []
        self.alive: list[Rival] = []
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Start one more worker."""
        database = await threaded(TimelessDatabase.open(self.url))
        self._stack.push_async_callback(database.close)
        rival = Rival(database, self.fates.play, self.provider, SLOTS)
        self.all.append(rival)
        self.alive.append(rival)

    async def befall(self) -> None:
        """Stall a worker, kill another and start one in its place, again and again."""
        for _ in range(MISHAPS):
            await asyncio.sleep(self.dice.uniform(0.2, 1))
            self._busiest().stall(self.dice.choice((5.0, 40.0)))
            await asyncio.sleep(self.dice.uniform(0.2, 1))
            victim = self._busiest()
            self.alive.remove(victim)
            victim.kill()
            await self.start()

    async def tell(self, plans: list[Planned], planners: int) -> None:
        """Accept in order and in bursts; of those, several workers plan some at a time."""
        at_work = asyncio.Semaphore(planners)

        async def plan(burst: list[tuple[Notification, Planned]]) -> None:
            try:
                while burst:
                    burst = await self.dice.choice(self.alive).plan(burst)
            finally:
                at_work.release()

        left = list(enumerate(plans))
        async with asyncio.TaskGroup() as planning:
            while left:
                size = self.dice.randint(1, BURST)
                burst, left = left[:size], left[size:]
                door = self.dice.choice(self.alive)
                known = await asyncio.gather(*(door.accept(*each) for each in burst))
                told = [(about, plan) for about, (_, plan) in zip(known, burst, strict=True)]
                self.fates.plans |= {f"{about.id}-0": plan for about, plan in told}
                await at_work.acquire()
                planning.create_task(plan(told))
                if self.dice.random() < 0.5:  # a rest ends when what is planned is written
                    await asyncio.sleep(sum(plan.pause for _, plan in burst) / 10)

    async def end(self) -> None:
        """Wait until all is over, and stop."""
        for _ in range(120):
            if await self.alive[0].is_over():
                break
            await asyncio.sleep(5)
        for rival in self.all:
            await rival.stop()

    async def check(self) -> None:
        """Check leases, slots, order and ends."""
        assert not self.provider.broken, self.provider.broken
        for rival in self.all:
            assert rival.door.most_in_flight <= SLOTS
            assert rival.door.most_of_a_lane <= 1
        sent = self.provider.sent
        first = {name: place for place, name in enumerate(dict.fromkeys(sent))}
        lines: defaultdict[str, list[int]] = defaultdict(list)
        for name, plan in self.fates.plans.items():
            if name in first and not plan.urgent:  # what rings waits for no other process's plan
                lines[plan.address].append(first[name])
        for address, places in lines.items():
            assert places == sorted(places), address
        lost = set().union(*(rival.queue.lost for rival in self.all))
        sends = Counter(sent)
        states, tries = await self.alive[0].tally()
        assert states.keys() == self.fates.plans.keys()
        for name, state in states.items():
            assert state in ENDS, (name, state)
            assert tries[name] == sends[name] or (name in lost and tries[name] < sends[name]), name

    def _busiest(self) -> Rival:
        return max(self.alive, key=lambda rival: len(rival.door.under_way))

    async def close(self) -> None:
        await self._stack.aclose()


async def act(url: str, seed: int, faulty: float, planners: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret
    rivals = Rivals(url, dice)
    try:
        for _ in range(WORKERS):
            await rivals.start()
        mishaps = asyncio.create_task(rivals.befall())
        await rivals.tell(draw(dice, RECIPIENTS, MESSAGES, faulty), planners)
        await mishaps
        await rivals.end()
        await rivals.check()
    finally:
        await rivals.close()


SEEDS = st.integers(0, 2**32).filter(bool)
"""Not the simplest one, which would always be the one that is tried."""
FAULTY = st.sampled_from([0.03, 0.06, 0.1])


LONG = settings(
    max_examples=1,  # of a thousand deliveries; every run has another seed
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # a smaller seed would tell no more
    suppress_health_check=[HealthCheck.too_slow],
)


@LONG
@given(seed=SEEDS, faulty=FAULTY)
def test_eight_workers_on_one_file_keep_leases_lanes_and_order(
    migrated: Path, seed: int, faulty: float
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "router.db"
        shutil.copy(migrated, path)
        run_in_virtual_time(act(url_of(path), seed, faulty, planners=1))


@LONG
@given(seed=SEEDS, faulty=FAULTY)
def test_eight_workers_on_one_server_keep_leases_lanes_and_order(
    postgres: Databases, seed: int, faulty: float
) -> None:
    url = postgres.make_database()
    try:
        run_in_virtual_time(act(url, seed, faulty, planners=4))
    finally:
        postgres.drop_database(url)
