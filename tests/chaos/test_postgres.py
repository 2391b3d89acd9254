"""A PostgreSQL that dies under a live router, and two routers on one that die in turn."""

import asyncio
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.chaos.conftest import KILLS
from tests.chaos.outage import recovers, refuses, refuses_all, wait_until
from tests.chaos.router_under_load import on_trial
from tests.postgres import Server

pytestmark = pytest.mark.long

Broken = Callable[[Server], AbstractContextManager[None]]
LONGER_THAN_A_LEASE = 40.0


@contextmanager
def killed(server: Server) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    server.kill(signal.SIGQUIT)
    yield
    server.start()


@pytest.mark.parametrize("broken", [killed, stopped])
async def test_while_the_server_is_down_posts_are_refused_and_then_it_goes_on(
    tmp_path: Path, dice: random.Random, own_postgres: Server, broken: Broken
) -> None:
    url = own_postgres.make_database()
    async with on_trial(f"PostgreSQL {broken.__name__}", tmp_path, url, dice) as trial:
        for _ in range(3):
            await asyncio.sleep(1)
            with broken(own_postgres):
                await refuses(trial)
                await refuses_all(trial, 3)
            await recovers(trial)
        trial.judge(await trial.settle())
        await trial.end()


async def test_connections_that_are_cut_again_and_again_lose_nothing(
    tmp_path: Path, dice: random.Random, own_postgres: Server
) -> None:
    url = own_postgres.make_database()
    async with on_trial("connections cut", tmp_path, url, dice) as trial:
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.1, 0.6))
            await asyncio.to_thread(own_postgres.terminate, url)
        await recovers(trial)
        trial.judge(await trial.settle())
        await trial.end()


async def test_of_two_routers_either_may_be_killed_at_any_time(
    tmp_path: Path, dice: random.Random, postgres_url: str
) -> None:
    async with on_trial("SIGKILL of two", tmp_path, postgres_url, dice, with_twin=True) as trial:
        for _ in range(max(3, KILLS // 5)):
            before = len(trial.load.accepted)
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            await wait_until(lambda: trial.receiver.in_hand > 0, "nothing is sent")
            victim = dice.choice([trial.process, trial.twin])
            await trial.kill(victim)
            await asyncio.to_thread(victim.start)
            assert len(trial.load.accepted) > before, "no load: this kill shows nothing"
        trial.judge(await trial.settle())
        assert any(trial.in_flight), "nothing was in flight at any kill: this shows nothing"
        await trial.end()


async def test_of_two_routers_one_may_stand_still_for_longer_than_its_leases(
    tmp_path: Path, dice: random.Random, postgres_url: str
) -> None:
    async with on_trial("SIGSTOP of two", tmp_path, postgres_url, dice, with_twin=True) as trial:
        await asyncio.sleep(2)
        await wait_until(lambda: trial.receiver.in_hand > 0, "nothing is sent")
        trial.process.send(signal.SIGSTOP)
        await trial.break_off()
        before = len(trial.receiver.arrivals)
        await asyncio.sleep(LONGER_THAN_A_LEASE)
        assert len(trial.receiver.arrivals) > before, "the other one does not go on"
        trial.process.send(signal.SIGCONT)
        await asyncio.sleep(2)
        trial.judge(await trial.settle())
        assert any(trial.in_flight), "nothing was in flight: this shows nothing"
        await trial.end()
