"""Plugins that block, end the process or answer nonsense: nobody else is taken along."""

import asyncio
import random
import time
from contextlib import suppress
from http.client import OK
from pathlib import Path

import aiohttp
import pytest

from tests import ROOT
from tests.chaos.load import Load
from tests.chaos.outage import wait_until
from tests.chaos.router_under_load import RULES, Trial, on_trial
from tests.chaos.test_providers import tries_of
from tests.conftest import url_of

DEEDS = {
    "block": ("delivered", ""),
    "exit": ("retry", "raised SystemExit"),
    "interrupt": ("retry", "raised KeyboardInterrupt"),
    "cancel": ("retry", "raised CancelledError"),
    "stop": ("retry", "raised Outcry"),
    "nothing": ("retry", "answered NoneType, which is not an outcome"),
    "number": ("retry", "answered int, which is not an outcome"),
    "late": ("retry", ""),
    "leak": ("delivered", ""),
}
"""What a plugin does, and what the log says of it: outcome and reason."""
CHANNEL = "  {name}: {{{{plugin: unruly, does: {name}, seconds: {seconds}, concurrency: 2}}}}\n"
RULE = (
    "  - {{{{name: {name}, send: [{name}],"
    " when: {{{{receiver: {{{{starts_with: {name}-}}}}}}}}}}}}\n"
)


def _rules(seconds: float) -> str:
    channels, rules = RULES.split("rules:\n")
    channels += "".join(CHANNEL.format(name=deed, seconds=seconds) for deed in DEEDS)
    cases = "".join(RULE.format(name=deed) for deed in DEEDS)
    rules = rules.replace("send:", "when: {{receiver: {{starts_with: uid-}}}}\n    send:")
    return f"{channels}rules:\n{cases}{rules}"


@pytest.mark.long
@pytest.mark.parametrize("seconds", [1.0, 35.0], ids=["for-a-moment", "longer-than-a-lease"])
async def test_unruly_plugins_take_nobody_along(
    tmp_path: Path, dice: random.Random, seconds: float
) -> None:
    async with on_trial(
        f"unruly plugins that block {seconds:g} s",
        tmp_path,
        url_of(tmp_path / "router.db"),
        dice,
        rules=_rules(seconds),
        pause=0.1,
        more={"ROUTER_PLUGINS_DIR": str(ROOT / "tests" / "testdata" / "unruly")},
    ) as trial:
        await asyncio.sleep(1)
        names = DEEDS.keys()
        others = Load(trial.load.url, clients=len(names), pause=0.5, name=list(names).__getitem__)
        posting = asyncio.create_task(others.run())
        await _is_blocked(trial)
        await trial.break_off()
        await asyncio.sleep(seconds)
        await wait_until(lambda: len(others.accepted) >= 2 * len(names), "it does not accept")
        others.over.set()
        await posting
        pid = trial.process.pid
        deadline = time.monotonic() + 60
        while not names <= (tries := await tries_of(trial)).keys():
            assert time.monotonic() < deadline, names - tries.keys()
            await asyncio.sleep(1)
        trial.load.over.set()
        trial.judge(
            {
                delivery: end
                for delivery, end in (await trial.settle()).items()
                if delivery.removesuffix("-0") in trial.load.accepted.values()
            }
        )
        assert trial.process.pid == pid
        for name, (outcome, reason) in DEEDS.items():
            assert set(tries[name]) == {(outcome, None, reason)}, name
        assert "leaving.py" in trial.process.log.read_text()
        await trial.end()


async def _is_blocked(trial: Trial) -> None:
    """Return when a router does not answer at once."""
    timeout = aiohttp.ClientTimeout(total=0.5)
    async with asyncio.timeout(30), aiohttp.ClientSession(timeout=timeout) as session:
        with suppress(TimeoutError):
            while True:
                async with session.get(trial.process.url + "/health/live") as answer:
                    assert answer.status == OK
                await asyncio.sleep(0.05)
