"""Durable accept, beside handlers that store nothing and a skeleton that stores no more."""

import asyncio
import shutil
import subprocess
import sys
from collections import deque
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.deployment import Deployment
from benchmarks.load import generate
from benchmarks.measurement import Effort, Line, Report, Round, Tell, accounts, ratio
from benchmarks.payloads import PASSWORD, USER, webhooks
from benchmarks.process import Subject, running

EXPRESS = Path(__file__).parent / "baselines" / "express"
ROUTER, SENDING = "router, accept alone", "router, deciding and sending"
LITESTAR, SKELETON = "Litestar, stores nothing", "skeleton, stores"
NODE = "Express 5, stores nothing"
WARM = 1.0
"""Seconds of load before the first round."""

DROP = """
version: 1
rules:
  - name: everything
    drop: true
"""
SEND = """
version: 1
channels:
  gateway: {plugin: apprise, url: "jsons://gateway.example/notify"}
rules:
  - name: everything
    send: [gateway]
"""


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Load the webhook of each subject in turn over 64 connections.

    Accept alone: the rules drop everything. Deciding and sending: a sandbox answers.
    """
    notes = await asyncio.to_thread(_prepare_express, may_install=effort.may_install)
    async with AsyncExitStack() as stack:
        subjects = await _start(stack, folder, with_express=not notes)
        for subject in subjects.values():
            await _load(subject, min(WARM, effort.seconds))
        rounds: dict[str, list[Round]] = {name: [] for name in subjects}
        names = deque(subjects)
        for number in range(effort.rounds):
            tell(f"accept: round {number + 1} of {effort.rounds}")
            for name in names:
                rounds[name].append(await _load(subjects[name], effort.seconds))
            names.rotate()
    title = "Durable accept, 64 connections"
    return Report(name="accept", title=title, lines=_lines(rounds), rounds=rounds, notes=notes)


def _lines(rounds: dict[str, list[Round]]) -> list[Line]:
    lines = []
    ours, rate, tail = rounds[ROUTER], "requests/s", "p99 ms"
    if express := rounds.get(NODE):
        lines += [
            Line(
                what="requests/s against an Express handler that stores nothing",
                value=ratio(ours, express, rate),
                unit="×",
                at_least=1.5,
            ),
            Line(
                what="p99 against that Express handler",
                value=ratio(ours, express, tail),
                unit="×",
                at_most=1,
            ),
            Line(
                what="CPU against that Express handler",
                value=ratio(ours, express, "CPU µs"),
                unit="×",
            ),
            Line(
                what="requests/s against it while also deciding and sending",
                value=ratio(rounds[SENDING], express, rate),
                unit="×",
            ),
        ]
    return [
        *lines,
        Line(
            what="requests/s against a Litestar handler that stores nothing",
            value=ratio(ours, rounds[LITESTAR], rate),
            unit="×",
            at_least=0.75,
        ),
        Line(
            what="CPU against that Litestar handler",
            value=ratio(ours, rounds[LITESTAR], "CPU µs"),
            unit="×",
        ),
        Line(
            what="requests/s against a skeleton that only stores",
            value=ratio(ours, rounds[SKELETON], rate),
            unit="×",
        ),
    ]


async def _load(subject: Subject, seconds: float) -> Round:
    await subject.rest()
    cpu = subject.cpu()
    load = await generate(subject.port, webhooks(), seconds=seconds)
    resident = subject.resident()
    await subject.rest()  # what was put off counts too
    return accounts(load, subject.cpu() - cpu, resident)


async def _start(stack: AsyncExitStack, folder: Path, *, with_express: bool) -> dict[str, Subject]:
    plain = {"WEBHOOK_USER": USER, "WEBHOOK_PASSWORD": PASSWORD, "NODE_ENV": "production"}
    stored = plain | {"DATABASE": str(folder / "skeleton.db")}
    baselines = "benchmarks.baselines"
    handler = [sys.executable, "-m", f"{baselines}.litestar_handler"]
    skeleton = [sys.executable, "-m", f"{baselines}.skeleton"]
    subjects = {
        ROUTER: Deployment(folder / "alone", DROP).serving(),
        SENDING: Deployment(folder / "sending", SEND).serving({"ROUTER_SANDBOX": "true"}),
        LITESTAR: running(handler, folder, plain),
        SKELETON: running(skeleton, folder, stored),
    }
    if with_express:
        subjects[NODE] = running(["node", str(EXPRESS / "server.js")], folder, plain)
    return {name: await stack.enter_async_context(made) for name, made in subjects.items()}


def _prepare_express(*, may_install: bool) -> list[str]:
    """Install what the Express baseline needs; return why it must be left out, if it must."""
    left_out = "The Express baseline is left out:"
    if shutil.which("node") is None:
        return [f"{left_out} node is not there (Debian and Ubuntu: apt install nodejs npm)."]
    if (EXPRESS / "node_modules").exists():
        return []
    if not may_install:
        return [f"{left_out} its packages are not installed; `make bench` does that."]
    npm = shutil.which("npm")
    if npm is None:
        return [f"{left_out} npm is not there (Debian and Ubuntu: apt install npm)."]
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=EXPRESS, capture_output=True, check=True, timeout=300)
    except (subprocess.SubprocessError, OSError):
        return [f"{left_out} `npm ci` in benchmarks/baselines/express failed; run it to see why."]
    return []
