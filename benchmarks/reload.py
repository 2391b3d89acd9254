"""Reloading 500 rules while payloads come in."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat, takewhile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.deployment import BEARER, Deployment
from benchmarks.load import Pace, generate
from benchmarks.measurement import MILLI, Effort, Line, Report, Round, Tell, percentile
from benchmarks.payloads import webhooks, write_request
from benchmarks.process import Subject
from benchmarks.rulefile import write_rules

RULES = 500
RATE = 300
"""Payloads a second that come in meanwhile."""
CONNECTIONS = 16
PROBES = 500
"""Requests a second that see how long the event loop keeps one waiting."""

STILL = 0.3
"""Seconds in which it is seen how long a probe waits without a reload."""
LEAD = 0.1
"""Seconds before and after, in which connections come up and answers in."""

_RELOAD = write_request("POST", "/v1/rules/reload", BEARER)
_PROBE = write_request("GET", "/health/live", {})


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Replace all rules but the repository's own, and reload, at rest and under load.

    A probe asks for `/health/live` 500 times a second; the longest it waits beyond what it
    waits without a reload is the stall of the event loop.
    """
    rounds: dict[str, list[Round]] = {"at rest": [], "under load": []}
    deployment = Deployment(folder / "router", write_rules(RULES))
    async with deployment.serving({"ROUTER_SANDBOX": "true"}) as subject:
        for number in range(effort.rounds):
            tell(f"reload: round {number + 1} of {effort.rounds}")
            deployment.write_rules(write_rules(RULES, seed=2 * number + 2))
            rounds["at rest"].append(await _reload(subject, rate=0))
            deployment.write_rules(write_rules(RULES, seed=2 * number + 3))
            rounds["under load"].append(await _reload(subject, rate=RATE))
    quiet, loaded = rounds["at rest"], rounds["under load"]
    lines = [
        Line(
            what="reload of 500 rules, at rest",
            value=median(each["reload ms"] for each in quiet),
            unit="ms",
            at_most=300,
        ),
        Line(
            what="stall of the event loop by it, at rest",
            value=median(each["stall ms"] for each in quiet),
            unit="ms",
        ),
        Line(
            what="reload of 500 rules while 300 payloads a second come in",
            value=median(each["reload ms"] for each in loaded),
            unit="ms",
        ),
        Line(
            what="requests that failed meanwhile",
            value=sum(each["refused"] for each in loaded),
            unit="requests",
            at_most=0,
        ),
    ]
    return Report(name="reload", title="Reload of 500 rules", lines=lines, rounds=rounds)


async def _reload(subject: Subject, *, rate: float) -> Round:
    await subject.rest()
    still = await _watch(subject, _wait, rate)
    moved = await _watch(subject, _post_reload, rate)
    return {
        "reload ms": moved.seconds * MILLI,
        "router CPU ms": moved.cpu * MILLI,
        "longest probe without ms": still.longest * MILLI,
        "longest probe ms": moved.longest * MILLI,
        "stall ms": max(0.0, moved.longest - still.longest) * MILLI,
        "payloads": len(moved.accepts),
        "accept p99 ms": percentile(moved.accepts, 0.99) * MILLI,
        "refused": moved.refused,
    }


class _Watched(NamedTuple):
    """Seconds that something took, of CPU too, and that slowest probe and each payload waited."""

    seconds: float
    cpu: float
    longest: float
    accepts: list[float]
    refused: int


async def _watch(
    subject: Subject, act: Callable[[Subject], Awaitable[None]], rate: float
) -> _Watched:
    """Probe the router, and load it if there is a rate, while something is done to it."""
    is_over = asyncio.Event()

    def until_over(requests: Iterator[bytes]) -> Iterator[bytes]:
        return takewhile(lambda _: not is_over.is_set(), requests)

    payloads = until_over(webhooks() if rate else iter(()))
    underway = asyncio.gather(
        generate(subject.port, until_over(repeat(_PROBE)), connections=1, turn=Pace(PROBES)),
        generate(subject.port, payloads, connections=CONNECTIONS, turn=Pace(rate or PROBES)),
    )
    await asyncio.sleep(LEAD)
    cpu, began = subject.cpu(), time.perf_counter()
    await act(subject)
    seconds, cpu = time.perf_counter() - began, subject.cpu() - cpu
    await asyncio.sleep(LEAD)
    is_over.set()
    probes, load = await underway
    return _Watched(
        seconds, cpu, max(probes.latencies), load.latencies, probes.refused + load.refused
    )


async def _wait(_: Subject) -> None:
    await asyncio.sleep(STILL)


async def _post_reload(subject: Subject) -> None:
    load = await generate(subject.port, iter([_RELOAD]), connections=1)
    if load.refused:
        raise RuntimeError(f"the rules were refused: {subject.log.read_text(encoding='utf-8')}")
