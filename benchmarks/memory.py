"""Resident memory: idle, and with many deliveries that wait."""

import asyncio
import time
from itertools import islice
from pathlib import Path

from benchmarks.accept import SEND
from benchmarks.deployment import Deployment
from benchmarks.load import generate
from benchmarks.measurement import MIB, Effort, Line, Report, Round, Tell
from benchmarks.payloads import webhooks
from benchmarks.process import PATIENCE
from router.queue.engine import SqlQueue
from router.store.db.database import Database
from tests import ROOT

DAY = 86_400


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Start the repository's own rules and leave them idle; fill a paused channel's line.

    What waits is accepted over the webhook and planned; then the router is started anew on it.
    """
    tell("memory: idle")
    own = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    async with Deployment(folder / "idle", own).serving({"ROUTER_SANDBOX": "true"}) as subject:
        idle = subject.resident()
    tell(f"memory: {effort.pending:,} deliveries that wait")
    deployment = Deployment(folder / "full", SEND)
    await _pause(deployment, "gateway")
    async with deployment.serving() as subject:
        load = await generate(subject.port, islice(webhooks(), effort.pending))
        if load.refused:
            raise RuntimeError(f"{load.refused} payloads were refused")
        async with asyncio.timeout(PATIENCE):
            while deployment.waiting() < effort.pending:  # noqa: ASYNC110 - another process plans
                await asyncio.sleep(0.2)
        await subject.rest()
        filled = subject.resident()
    async with deployment.serving() as subject:
        restarted = subject.resident()
    found: dict[str, Round] = {
        "idle": {"resident MiB": idle / MIB},
        f"{effort.pending:,} deliveries wait": {"resident MiB": filled / MIB},
        "the same after a restart": {"resident MiB": restarted / MIB},
    }
    lines = [
        Line(what="resident memory, idle", value=idle / MIB, unit="MiB", at_most=130),
        Line(
            what=f"resident memory while {effort.pending:,} deliveries wait",
            value=max(filled, restarted) / MIB,
            unit="MiB",
            at_most=350,
        ),
    ]
    rounds = {name: [figures] for name, figures in found.items()}
    return Report(name="memory", title="Resident memory", lines=lines, rounds=rounds)


async def _pause(deployment: Deployment, channel: str) -> None:
    """Hold a channel for longer than anything here takes."""
    database = await Database.open(deployment.url, migrate=True)
    await SqlQueue(database).pause(channel, cause="paused", until=time.time() + DAY)
    await database.close()
