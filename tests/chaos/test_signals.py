"""Signals at any moment: nothing that got a 200 is lost, only what was in flight is repeated.

Short as part of all tests; `make chaos` kills hundreds of times.
"""

import asyncio
import random
import signal
from pathlib import Path

import pytest
from sqlalchemy import make_url

from router.store.db.url import is_sqlite
from tests.chaos.conftest import KILLS
from tests.chaos.outage import wait_until
from tests.chaos.router_under_load import SLOTS, STOPPED_WITHIN, on_trial
from tests.chaos.torn_wal import tear

STAGES = ("/health/live", "/health/ready")
"""A kill comes a random moment after the router answers here: while it starts, or at work."""
AT_WORK = 0.5
"""How many of the kills wait until something is being sent; the others come at any time."""
TORN = 0.5
"""How many of the kills come in the middle of a commit."""
SLOWLY = 0.08
"""Seconds a client rests before each post, so that hundreds of kills leave no mountain of work."""
PAUSES = (3.0, pytest.param(35.0, marks=pytest.mark.long))
"""Seconds for which a process stands still: a moment, and longer than its leases last."""


async def test_a_killed_router_loses_nothing_and_repeats_only_what_was_in_flight(
    tmp_path: Path, database_url: str, dice: random.Random
) -> None:
    async with on_trial("SIGKILL", tmp_path, database_url, dice, pause=SLOWLY) as trial:
        for _ in range(KILLS):
            before = len(trial.load.accepted)
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            if not trial.kills or dice.random() < AT_WORK:
                await wait_until(lambda: trial.receiver.in_hand > 0, "nothing is sent")
            await trial.kill()
            if is_sqlite(make_url(database_url)) and dice.random() < TORN:
                tear(Path(str(make_url(database_url).database)), dice)
            await asyncio.to_thread(trial.process.start, dice.choice(STAGES))
            assert len(trial.load.accepted) > before, "no load: this kill shows nothing"
        await asyncio.sleep(1)
        trial.judge(await trial.settle())
        assert any(trial.in_flight), "nothing was in flight at any kill: this shows nothing"
        assert all(len(at_kill) <= 2 * SLOTS for at_kill in trial.in_flight)
        await trial.end()


async def test_a_router_that_is_told_to_stop_ends_in_time_and_repeats_nothing(
    tmp_path: Path, database_url: str, dice: random.Random
) -> None:
    async with on_trial("SIGTERM", tmp_path, database_url, dice) as trial:
        for _ in range(max(2, KILLS // 5)):
            before = len(trial.load.accepted)
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            assert await trial.end() < STOPPED_WITHIN
            await trial.break_off()
            assert not trial.leased, "a lease was not handed back"
            await asyncio.to_thread(trial.process.start, dice.choice(STAGES))
            assert len(trial.load.accepted) > before, "no load: this stop shows nothing"
        trial.judge(await trial.settle())


@pytest.mark.parametrize("seconds", PAUSES)
async def test_a_router_that_stands_still_goes_on_where_it_was(
    tmp_path: Path, database_url: str, dice: random.Random, seconds: float
) -> None:
    async with on_trial(f"SIGSTOP {seconds:g} s", tmp_path, database_url, dice) as trial:
        await asyncio.sleep(1)
        await wait_until(lambda: trial.receiver.in_hand > 0, "nothing is sent")
        trial.process.send(signal.SIGSTOP)
        await trial.break_off()
        await asyncio.sleep(seconds)
        before = len(trial.load.accepted)
        trial.process.send(signal.SIGCONT)
        await asyncio.sleep(2)
        assert len(trial.load.accepted) > before, "it does not go on"
        trial.judge(await trial.settle())
        assert any(trial.in_flight), "nothing was in flight: this shows nothing"
        await trial.end()
