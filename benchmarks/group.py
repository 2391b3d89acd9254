"""A message to a group of a thousand: one payload for each member, all at once, ten in a row."""

import asyncio
import re
import sys
import time
import urllib.request
from collections import defaultdict
from itertools import islice
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.deployment import BEARER, Deployment
from benchmarks.load import Load, Volleys, generate, generate_apart, join
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
from benchmarks.payloads import to_group
from benchmarks.process import PATIENCE, Subject, running
from benchmarks.provider import providing
from benchmarks.push import TAKEN
from router.plugins.push import fcm_access_token
from tests.acceptance.router_with_fakes import MODULE, divert

LATENCY = 0.05
"""Seconds that the provider takes to answer."""

RULES = """
version: 1
channels:
  app: {{plugin: push, concurrency: 256, fcm: {{service_account: "${{file:{account}}}"}}}}
rules:
  - name: everything
    send: [app]
"""
KEPT, FRESH = "connections kept", "a connection for each payload"
ROUTER, NOTHING = "router", "Litestar, stores nothing"

_TOKEN = re.compile(rb'"token":"([^"]+)"')
_NUMBER = re.compile(rb'"body":"Message (\d+)"')


class Phones:
    """What the phones of a group got, by their tokens, in order."""

    def __init__(self) -> None:
        """Expect nothing yet."""
        self.got: defaultdict[bytes, list[int]] = defaultdict(list)
        self.left = 0
        self.last = 0.0
        self.over = asyncio.Event()

    def expect(self, pushes: int) -> None:
        """Forget what came, and wait for so many."""
        self.got.clear()
        self.left = pushes
        self.over.clear()

    def arrived(self, body: bytes) -> None:
        """Take a push."""
        token, number = _TOKEN.search(body), _NUMBER.search(body)
        if token is None or number is None:
            return  # a request for an access token
        self.got[token[1]].append(int(number[1]))
        self.left -= 1
        if not self.left:
            self.last = time.perf_counter()
            self.over.set()

    def judge(self, members: int, messages: int) -> None:
        """Raise `RuntimeError` unless each phone got each message once, in order."""
        wrong = [
            token
            for token, numbers in self.got.items()
            if len(numbers) != messages or numbers != sorted(set(numbers))
        ]
        if wrong or len(self.got) != members:
            raise RuntimeError(f"{len(wrong)} of {len(self.got)} phones got it wrong: {wrong[:3]}")


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Post messages to a group of people who have a phone each, one message after the other."""
    ways = (KEPT, FRESH)
    rounds: dict[str, list[Round]] = {
        f"{who}, {way}": [] for who in (ROUTER, NOTHING) for way in ways
    }
    account = folder / "account.json"
    account.write_text(fcm_access_token.make_placeholder_account(), encoding="ascii")
    deployment = Deployment(folder / "router", RULES.format(account=account))
    handler = [sys.executable, "-m", "benchmarks.baselines.litestar_handler"]
    phones = Phones()
    async with providing() as provider, running(handler, folder, {}) as baseline:
        provider.body, provider.latency, provider.arrived = TAKEN, LATENCY, phones.arrived
        diverted = divert(folder, {"*": f"https://localhost:{provider.port}"})
        async with deployment.serving(diverted, module=MODULE) as subject:
            await asyncio.to_thread(_enrol, subject.port, effort.members)
            for number in range(effort.rounds):
                tell(f"group: round {number + 1} of {effort.rounds}")
                for way in ways:
                    figures = await _deliver(subject, phones, effort, kept=way is KEPT)
                    rounds[f"{ROUTER}, {way}"].append(figures)
                    load = await _post(baseline.port, effort, kept=way is KEPT)
                    rounds[f"{NOTHING}, {way}"].append(_accepts(load))
    lines = [line for way in ways for line in _lines(rounds, way, effort.members)]
    title = f"A group of {effort.members:,}, {effort.messages} messages in a row"
    return Report(name="group", title=title, lines=lines, rounds=rounds)


def _lines(rounds: dict[str, list[Round]], way: str, members: int) -> list[Line]:
    ours, tail = rounds[f"{ROUTER}, {way}"], "accept p99 ms"
    return [
        Line(
            what=f"p99 of accepting a message to {members:,}, {way}",
            value=median(each[tail] for each in ours),
            unit="ms",
            at_most=500,
        ),
        Line(
            what=f"against a Litestar handler that stores nothing, {way}",
            value=ratio(ours, rounds[f"{NOTHING}, {way}"], tail),
            unit="×",
        ),
    ]


async def _deliver(subject: Subject, phones: Phones, effort: Effort, *, kept: bool) -> Round:
    """Return the figures of all messages, from the first request to the last phone."""
    await subject.rest()
    count = effort.members * effort.messages
    phones.expect(count)
    cpu, began = subject.cpu(), time.perf_counter()
    load = await _post(subject.port, effort, kept=kept)
    async with asyncio.timeout(PATIENCE):
        await phones.over.wait()
    phones.judge(effort.members, effort.messages)
    resident = subject.resident()
    await subject.rest()
    return _accepts(load) | {
        "pushes/s": count / (phones.last - began),
        "CPU µs": (subject.cpu() - cpu) / count * MICRO,
        "resident MiB": resident / MIB,
    }


async def _post(port: int, effort: Effort, *, kept: bool) -> Load:
    """Post each message when the one before is accepted for everybody."""
    members, requests = effort.members, to_group(effort.members)
    if kept:
        every = islice(requests, members * effort.messages)
        return await generate(port, every, connections=members, turn=Volleys(members))
    loads = [await generate_apart(port, islice(requests, members)) for _ in range(effort.messages)]
    return join(loads)


def _accepts(load: Load) -> Round:
    return {
        "accepts/s": len(load.latencies) / load.seconds,
        "accept p50 ms": percentile(load.latencies, 0.5) * MILLI,
        "accept p99 ms": percentile(load.latencies, 0.99) * MILLI,
        "slowest ms": max(load.latencies) * MILLI,
        "refused": load.refused,
    }


def _enrol(port: int, members: int) -> None:
    """Give each member of the group a phone."""
    lines = (
        {"uid": f"u{n:06d}", "devices": [{"platform": "fcm_android", "token": f"phone-{n}"}]}
        for n in range(members)
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/recipients/import?appId=app123",
        b"\n".join(map(msgspec.json.encode, lines)),
        BEARER,
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
        summary = msgspec.json.decode(answer.read())
    if summary["changed"] != members:
        raise RuntimeError(f"the import took {summary['changed']} of {members}")
