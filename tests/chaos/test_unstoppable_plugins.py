"""`router serve` ends in time whatever a plugin does, and says whom it did not wait for."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from router.signals import EXIT_TIMEOUT_S
from tests import ROOT
from tests.acceptance.client import post_sample
from tests.acceptance.router_process import KEY, RouterProcess, live

SOON = 25.0
"""Seconds: ten for the sends in flight, and the rest for what plugins leave and a busy machine."""
LATE = EXIT_TIMEOUT_S + 5
PATIENCE = 20.0


def router(folder: Path, deeds: Sequence[str]) -> RouterProcess:
    lines = [f"  {deed}: {{plugin: stubborn, does: {deed}}}" for deed in deeds]
    rules = ["version: 1", "channels:", *lines, "rules:", "  - name: everything"]
    (folder / "rules.yaml").write_text("\n".join([*rules, f"    send: [{', '.join(deeds)}]\n"]))
    plugins = {"ROUTER_PLUGINS_DIR": str(ROOT / "tests/testdata/stubborn")}
    return RouterProcess(folder, live(folder) | plugins | {"ROUTER_LOG_LEVEL": "debug"})


async def end(process: RouterProcess) -> tuple[int, float]:
    """Return the exit status after SIGTERM, and the seconds until then."""
    began = time.monotonic()
    process.send(signal.SIGTERM)
    status = await asyncio.to_thread(process.wait_for, LATE)
    return status, time.monotonic() - began


async def logged(process: RouterProcess, text: str, times: int = 1) -> None:
    """Return when the log holds a text so often."""
    async with asyncio.timeout(PATIENCE):
        while process.log.read_text().count(text) < times:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)


async def test_what_plugins_leave_behind_does_not_keep_the_process(tmp_path: Path) -> None:
    process = router(tmp_path, ["swallow", "wait", "leak", "thread", "close"])
    try:
        await asyncio.to_thread(process.start)
        await post_sample(process.url)
        await logged(process, "delivery sent", 3)
        status, seconds = await end(process)
    finally:
        process.kill()
    lines = process.log.read_text().splitlines()
    ignored = [line for line in lines if "send ignored cancellation" in line]
    assert [line for line in ignored if "channel=swallow" in line] == ignored != []
    assert any("channel close timed out" in line and "channel=close" in line for line in lines)
    [last] = [line for line in lines if "shutdown timed out" in line]
    assert lines[-1] == last
    for name in (
        "sending over swallow",
        "closing close",
        "a task of its own",
        "a thread of its own",
    ):
        assert name in last
    assert KEY not in "".join(lines)
    assert status == 0
    assert seconds < SOON


@pytest.mark.long
async def test_a_plugin_that_holds_the_loop_up_does_not_keep_the_process(tmp_path: Path) -> None:
    process = router(tmp_path, ["block"])
    try:
        await asyncio.to_thread(process.start)
        await post_sample(process.url)
        await logged(process, "event loop blocked")
        status, seconds = await end(process)
    finally:
        process.kill()
    last = process.log.read_text().splitlines()[-1]
    assert "shutdown timed out" in last
    assert "sending over block" in last
    assert status == 1
    assert EXIT_TIMEOUT_S - 1 < seconds < LATE
