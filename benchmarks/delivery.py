"""From the webhook to the record of a delivery over TLS, beside stock Apprise."""

import asyncio
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.deployment import Deployment
from benchmarks.load import Pace, Window, generate
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
from benchmarks.sending import send_all

LATENCIES = (0.001, 0.1)
"""Seconds that the provider takes to answer."""

UNDERWAY = 512
"""How many notifications are between the webhook and the provider at most."""

RATE = 200
"""Notifications a second when they come evenly."""

_NUMBER = re.compile(rb"Message \d+")

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
    environ = write_authorities(folder)
    async with providing() as provider:
        deployment = Deployment(folder / "router", RULES.format(port=provider.port))
        async with deployment.serving(environ) as subject:
            for latency in LATENCIES:
                provider.latency = latency
                await _deliver(subject, deployment, provider, effort.notifications // 4)
                names = {way: f"{name}, {latency * MILLI:g} ms" for way, name in WAYS.items()}
                ours = f"router, {latency * MILLI:g} ms"
                paced = f"{ours}, {RATE} notifications a second"
                rounds |= {name: [] for name in (ours, *names.values(), paced)}
                for number in range(effort.rounds):
                    tell(f"delivery: {ours}, round {number + 1} of {effort.rounds}")
                    figures = await _deliver(subject, deployment, provider, effort.notifications)
                    rounds[ours].append(figures)
                    for way, name in names.items():
                        rounds[name].append(await _stock(provider, way, effort.stock, environ))
                    rounds[paced].append(await _pace(subject, provider, effort.notifications // 3))
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


async def _deliver(
    subject: Subject, deployment: Deployment, provider: Provider, count: int
) -> Round:
    """Return the figures of so many notifications, from the first request to the last record."""
    await subject.rest()
    window = Window(UNDERWAY)
    provider.arrived = lambda _: window.arrived()
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


async def _pace(subject: Subject, provider: Provider, count: int) -> Round:
    """Return how long notifications take to the provider when they come evenly."""
    await subject.rest()
    sent: dict[bytes, float] = {}
    taken: list[float] = []
    all_arrived = asyncio.Event()

    def noted(requests: Iterator[bytes]) -> Iterator[bytes]:
        for request in requests:
            sent[_number(request)] = time.perf_counter()
            yield request

    def arrived(body: bytes) -> None:
        taken.append(time.perf_counter() - sent[_number(body)])
        if len(taken) == count:
            all_arrived.set()

    provider.arrived = arrived
    cpu = subject.cpu()
    load = await generate(subject.port, noted(islice(webhooks(), count)), turn=Pace(RATE))
    async with asyncio.timeout(PATIENCE):
        await all_arrived.wait()
    await subject.rest()
    return {
        "to the provider p50 ms": percentile(taken, 0.5) * MILLI,
        "p99 ms": percentile(taken, 0.99) * MILLI,
        "CPU µs": (subject.cpu() - cpu) / count * MICRO,
        "refused": load.refused,
    }


def _number(text: bytes) -> bytes:
    found = _NUMBER.search(text)
    return found[0] if found else b""


async def _stock(provider: Provider, way: str, count: int, environ: dict[str, str]) -> Round:
    provider.arrived = lambda _: None
    url = f"jsons://localhost:{provider.port}/notify"
    module = "baselines.stock_apprise"
    return await send_all(module, url, way, count=count, environ=environ)
