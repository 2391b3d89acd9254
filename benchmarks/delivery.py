"""From the webhook to the record of a delivery over TLS, beside stock Apprise."""

import asyncio
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.deployment import Deployment
from benchmarks.load import Window, generate
from benchmarks.measurement import (
    MIB,
    MICRO,
    MILLI,
    Effort,
    Line,
    Report,
    Round,
    Tell,
    percentile,
    ratio,
)
from benchmarks.payloads import webhooks
from benchmarks.process import PATIENCE, Subject
from benchmarks.provider import Provider, providing, write_authorities
from tests.acceptance.process import ROOT, clean_environ

LATENCIES = (0.001, 0.1)
"""Seconds that the provider takes to answer."""

UNDERWAY = 512
"""How many notifications are between the webhook and the provider at most."""

RULES = """
version: 1
channels:
  gateway: {{plugin: apprise, url: "jsons://localhost:{port}/notify", concurrency: 256}}
rules:
  - name: everything
    send: [gateway]
"""
WAYS = {"loop": "stock Apprise, notify in a loop", "together": "stock Apprise, 64 × async_notify"}


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Send the same message to the same provider through the router and through Apprise."""
    lines: list[Line] = []
    rounds: dict[str, list[Round]] = {}
    window = Window(UNDERWAY)
    environ = write_authorities(folder)
    async with providing() as provider:
        deployment = Deployment(folder / "router", RULES.format(port=provider.port))
        async with deployment.serving(environ) as subject:
            for latency in LATENCIES:
                provider.latency = latency
                await deliver(subject, deployment, provider, window, effort.notifications // 4)
                names = {way: f"{name}, {latency * MILLI:g} ms" for way, name in WAYS.items()}
                ours = f"router, {latency * MILLI:g} ms"
                rounds |= {name: [] for name in (ours, *names.values())}
                for number in range(effort.rounds):
                    tell(f"delivery: {ours}, round {number + 1} of {effort.rounds}")
                    figures = await deliver(
                        subject, deployment, provider, window, effort.notifications
                    )
                    rounds[ours].append(figures)
                    for way, name in names.items():
                        rounds[name].append(await _stock(provider, way, effort.stock, environ))
                lines += _lines(rounds, ours, list(names.values()), latency)
    return Report(
        name="delivery",
        title="Accept, decide, deliver over TLS, record",
        lines=lines,
        rounds=rounds,
    )


def _lines(
    rounds: dict[str, list[Round]], ours: str, stock: list[str], latency: float
) -> list[Line]:
    figure = "sends/s"
    best = max(stock, key=lambda name: median(each[figure] for each in rounds[name]))
    is_near = latency == LATENCIES[0]
    return [
        Line(
            what=f"sends/s against stock Apprise, provider of {latency * MILLI:g} ms",
            value=ratio(rounds[ours], rounds[best], figure),
            unit="×",
            at_least=25,
        ),
        Line(
            what=f"CPU for a notification, provider of {latency * MILLI:g} ms",
            value=median(each["CPU µs"] for each in rounds[ours]),
            unit="µs",
            at_most=650 if is_near else None,
        ),
    ]


async def deliver(
    subject: Subject, deployment: Deployment, provider: Provider, window: Window, count: int
) -> Round:
    """Return the figures of so many notifications, from the first request to the last record."""
    await subject.rest()
    provider.arrived = window.arrived
    last, cpu, began = deployment.last(), subject.cpu(), time.perf_counter()
    load = await generate(subject.port, islice(webhooks(), count), turn=window)
    async with asyncio.timeout(PATIENCE):
        while deployment.delivered(last) < count:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    resident = subject.resident()
    await subject.rest()
    return {
        "sends/s": count / seconds,
        "accept p50 ms": percentile(load.latencies, 0.5) * MILLI,
        "accept p99 ms": percentile(load.latencies, 0.99) * MILLI,
        "CPU µs": (subject.cpu() - cpu) / count * MICRO,
        "resident MiB": resident / MIB,
        "generator and provider CPU µs": load.cpu / count * MICRO,
        "refused": load.refused,
    }


async def _stock(provider: Provider, way: str, count: int, environ: dict[str, str]) -> Round:
    provider.arrived = lambda: None
    url = f"jsons://localhost:{provider.port}/notify"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.baselines.stock_apprise", url, way, str(count)),
        env=clean_environ() | environ,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    found = msgspec.json.decode(output, type=dict[str, float])
    if found["sent"] != count:
        raise RuntimeError(f"stock Apprise sent {found['sent']:g} of {count}")
    return {
        "sends/s": count / found["seconds"],
        "CPU µs": found["cpu"] / count * MICRO,
        "resident MiB": found["resident"] / MIB,
    }
