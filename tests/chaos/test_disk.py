"""A disk that is full or read-only: 503 meanwhile, and nothing accepted is lost."""

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest

from tests.chaos.conftest import LONG, MISSING
from tests.chaos.outage import recovers, refuses, refuses_all
from tests.chaos.router_under_load import on_trial
from tests.chaos.small_disk import barred, crammed, make_read_only, make_writable, mounted
from tests.conftest import url_of

SECONDS = 15.0 if LONG else 3.0
LAST = 4
"""Writes small enough for what was left of the disk when a larger one no longer fitted."""


async def test_while_the_disk_is_full_posts_are_refused_and_then_it_goes_on(
    tmp_path: Path, dice: random.Random
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder) as is_mounted:
        if not is_mounted:
            MISSING.append("nobody may mount here: instead of a full disk, no file can be written")
        async with on_trial("disk full", tmp_path, url_of(folder / "router.db"), dice) as trial:
            await asyncio.sleep(1)
            with crammed(folder) if is_mounted else barred(trial.process):
                await refuses(trial)
                await refuses_all(trial, SECONDS, last=LAST)
            await recovers(trial)
            trial.judge(await trial.settle())
            await trial.end()


@pytest.mark.long
async def test_while_no_file_can_be_written_posts_are_refused_and_then_it_goes_on(
    tmp_path: Path, dice: random.Random
) -> None:
    database = url_of(tmp_path / "router.db")
    async with on_trial("files not writable", tmp_path, database, dice) as trial:
        await asyncio.sleep(1)
        with barred(trial.process):
            await refuses(trial)
            await refuses_all(trial, SECONDS)
        await recovers(trial)
        trial.judge(await trial.settle())
        await trial.end()


@pytest.mark.long
async def test_on_a_disk_that_is_read_only_it_does_not_start_and_says_so(
    tmp_path: Path, dice: random.Random, migrated: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder) as is_mounted:
        if not is_mounted and os.geteuid() == 0:
            MISSING.append("root may not mount here: a read-only disk was not tried")
            return
        database = folder / "router.db"
        shutil.copy(migrated, database)
        make_read_only(folder, is_mounted=is_mounted)
        with pytest.raises(AssertionError, match=r"router\.db cannot be opened") as refusal:
            async with on_trial("read-only", tmp_path, url_of(database), dice):
                raise NotImplementedError
        assert "Traceback" not in str(refusal.value)
        make_writable(folder, is_mounted=is_mounted)
        async with on_trial("read-only before", tmp_path, url_of(database), dice) as trial:
            await recovers(trial)
            trial.judge(await trial.settle())
            await trial.end()
