"""What is seen from outside while the database cannot be written."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from tests.chaos.router_under_load import Trial

PATIENCE = 20.0
GLANCE = 0.2


@dataclass
class View:
    """What came in over some time: posts by their answer, and what `/health/ready` said."""

    accepted: int = 0
    unavailable: int = 0
    unreachable: int = 0
    ready: Counter[int] = field(default_factory=Counter)


async def watch(trial: Trial, seconds: float) -> View:
    """Look at a router for some time."""
    load = trial.load
    before = View(len(load.accepted), load.unavailable, load.unreachable)
    view = View()
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < until:
            async with session.get(trial.process.url + "/health/ready") as answer:
                view.ready[answer.status] += 1
            async with session.get(trial.process.url + "/health/live") as answer:
                assert answer.status == 200
            await asyncio.sleep(GLANCE)
    view.accepted = len(load.accepted) - before.accepted
    view.unavailable = load.unavailable - before.unavailable
    view.unreachable = load.unreachable - before.unreachable
    return view


async def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def refuses(trial: Trial) -> None:
    """Return when a post that was made after the call is refused."""
    before = trial.load.unavailable
    await wait_until(lambda: trial.load.unavailable > before, "posts are not answered 503")


async def recovers(trial: Trial) -> None:
    """Return when posts are accepted again, and the router says that it is ready."""
    before = len(trial.load.accepted)
    await wait_until(lambda: len(trial.load.accepted) > before + 10, "it does not recover")
    view = await watch(trial, 1)
    assert view.ready[200], view


async def refuses_all(trial: Trial, seconds: float, *, last: int = 0) -> None:
    """Fail unless a router refuses every post for some time, and says that it is not ready.

    `last` is how many small writes may find a place all the same, as on a disk almost full.
    """
    view = await watch(trial, seconds)
    assert view.unavailable, view
    assert view.ready[503] > last, view
    assert view.accepted + view.ready[200] <= last, view
    assert not view.unreachable, view
