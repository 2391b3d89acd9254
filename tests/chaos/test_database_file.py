"""What others do to the database file of a live router: 503 meanwhile, and nothing is lost."""

import asyncio
import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import LONG
from tests.chaos.outage import recovers, refuses, refuses_all, watch
from tests.chaos.router_under_load import on_trial
from tests.conftest import url_of

LOCKS = (1.0, 5.0, 20.0)
SECONDS = 10.0 if LONG else 2.0


@pytest.mark.long
@pytest.mark.parametrize("seconds", LOCKS)
async def test_while_another_process_locks_it_posts_are_refused_and_then_it_goes_on(
    tmp_path: Path, dice: random.Random, seconds: float
) -> None:
    database = tmp_path / "router.db"
    async with on_trial(f"locked {seconds:g} s", tmp_path, url_of(database), dice) as trial:
        await asyncio.sleep(1)
        locker = sqlite3.connect(database, timeout=30, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        locked_at = time.monotonic()
        if seconds > 3:  # posts wait for 1.5 s
            await refuses(trial)
            await refuses_all(trial, seconds - (time.monotonic() - locked_at))
        else:
            await watch(trial, seconds)
        locker.execute("ROLLBACK")
        locker.close()
        await recovers(trial)
        trial.judge(await trial.settle())
        await trial.end()


@pytest.mark.parametrize(
    "with_another",
    [False, pytest.param(True, marks=pytest.mark.long)],
    ids=["gone", "replaced"],
)
async def test_while_its_file_is_elsewhere_posts_are_refused_until_it_is_back(
    tmp_path: Path, dice: random.Random, migrated: Path, *, with_another: bool
) -> None:
    database = tmp_path / "router.db"
    elsewhere = tmp_path / "elsewhere.db"
    name = "file replaced" if with_another else "file gone"
    async with on_trial(name, tmp_path, url_of(database), dice) as trial:
        await asyncio.sleep(1)
        database.rename(elsewhere)
        if with_another:
            shutil.copy(migrated, database)
        await refuses(trial)
        await refuses_all(trial, SECONDS)
        assert database.exists() == with_another, "it made a new one"
        elsewhere.rename(database)
        await recovers(trial)
        trial.judge(await trial.settle())
        await trial.end()
