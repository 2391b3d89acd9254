"""A clock that jumps while deliveries wait, are tried again and are leased."""

import asyncio
import random
import struct
from pathlib import Path

import pytest

from tests import ROOT
from tests.chaos.outage import wait_until
from tests.chaos.receiver import Arrival
from tests.chaos.router_under_load import RULES, on_trial
from tests.conftest import url_of

HOUR = 3600.0
DAY = 24 * HOUR
BACKLOG = RULES.replace("concurrency:", "rate: 40/s, concurrency:")
"""Rules by which more comes than may be sent, so that much waits."""
ON = 60
"""So many deliveries more show that it goes on."""


@pytest.mark.long
@pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY], ids=["+1h", "-1h", "+1d"])
async def test_when_the_clock_jumps_nothing_is_lost_and_it_goes_on(
    tmp_path: Path, dice: random.Random, jump: float
) -> None:
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("d", 0.0))
    async with on_trial(
        f"clock {jump / HOUR:+g} h",
        tmp_path,
        url_of(tmp_path / "router.db"),
        dice,
        rules=BACKLOG,
        pause=0.1,
        more={
            "PYTHONPATH": str(ROOT / "tests" / "testdata" / "clock"),
            "CLOCK_OFF_BY": str(clock),
        },
    ) as trial:
        trial.may_expire = jump == DAY
        trial.receiver.refusing = 0.2
        await wait_until(lambda: len(trial.receiver.arrivals) > ON, "nothing is delivered")
        _set(clock, jump)
        waiting = trial.load.accepted.keys() - _texts(trial.receiver.taken())
        assert len(waiting) > ON, "nothing waits: this jump shows nothing"
        accepted, arrived = len(trial.load.accepted), len(trial.receiver.arrivals)
        await wait_until(lambda: len(trial.load.accepted) > accepted + ON, "nothing is accepted")
        await wait_until(
            lambda: len(trial.receiver.arrivals) > arrived + ON, "nothing is delivered any more"
        )
        trial.load.over.set()
        trial.receiver.refusing = 0.0
        await asyncio.sleep(2)
        if jump < 0:
            _set(clock, 0.0)  # what waits is late by as much as the clock was set back
        trial.judge(await trial.settle())
        await trial.end()


def _set(clock: Path, off_by: float) -> None:
    with clock.open("r+b") as file:
        file.write(struct.pack("d", off_by))


def _texts(taken: dict[str, list[Arrival]]) -> set[str]:
    return {arrivals[0].text for arrivals in taken.values()}
