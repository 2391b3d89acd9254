"""Under half of what the machine can do, for long: nothing the router takes grows.

`make soak` (`ROUTER_TEST_SOAK` is its minutes). Beside what goes well some providers hang, cut
connections and fail, the rules change, and the log is read. The samples are in `soak.csv`.
"""

import asyncio
import csv
import os
import random
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.router_process import OPERATOR
from tests.chaos.database_rows import read_rows
from tests.chaos.faulty_providers import Misfit, fall_over, hang, reset, serving
from tests.chaos.leak_trend import is_flat, quarters
from tests.chaos.load import Load
from tests.chaos.router_under_load import Trial, on_trial
from tests.chaos.test_providers import rules_with
from tests.conftest import url_of

MINUTES = float(os.environ.get("ROUTER_TEST_SOAK", "20"))
SAMPLES = 240
BURST = 20.0
"""Seconds of full load that show what the machine can do."""
HALF = 0.5
RELOADS = 12
"""So many samples lie between two changes of the rules."""
FIGURES = {
    "process_resident_memory_bytes": "memory",
    "process_open_fds": "files",
    "router_tasks": "tasks",
}
DUST = {"memory": 0, "files": 4, "tasks": 4, "threads": 1, "connections": 4}
"""What must stay flat, and how much more does not count."""
LOG = 128 << 20
"""Bytes that the write-ahead log may take."""

Sample = dict[str, float]


@pytest.mark.soak
async def test_nothing_that_the_router_takes_grows(tmp_path: Path, dice: random.Random) -> None:
    misfits = {
        "hang": Misfit(hang, "unknown", None, "timed out"),
        "reset": Misfit(reset, "unknown", None, "the connection was reset"),
        "fallover": Misfit(fall_over, "retry", 500, "500 internal server error"),
    }
    database = tmp_path / "router.db"
    async with (
        serving(misfits) as urls,
        on_trial(
            "soak", tmp_path, url_of(database), dice, rules=rules_with(urls), pause=0
        ) as trial,
    ):
        half = await _measure(trial) * HALF
        names = list(misfits)
        loads = [
            Load(trial.load.url, rate=half, name="uid-soak-{}".format),
            Load(trial.load.url, clients=len(names), rate=3, name=names.__getitem__),
        ]
        posting = [asyncio.create_task(load.run()) for load in loads]
        samples = await _sample(trial, database, loads)
        for load in loads:
            load.over.set()
        await asyncio.gather(*posting)
        accepted = {**trial.load.accepted, **loads[0].accepted}
        await _arrived(trial, accepted)
        took = await trial.end()
    _write(Path("soak.csv"), samples)
    arrived = {arrivals[0].text for arrivals in trial.receiver.arrivals.values()}
    repeated = sum(len(arrivals) - 1 for arrivals in trial.receiver.arrivals.values())
    lost = accepted.keys() - arrived
    print(  # noqa: T201 - the record of the run, shown by pytest -s
        f"\nsoak: {MINUTES:g} min at {half:.0f}/s, {len(accepted)} accepted,"
        f" {len(accepted) - len(lost)} delivered, {len(lost)} lost, {repeated} repeated,"
        f" {sum(load.unavailable for load in loads)} posts answered 503,"
        f" stopped in {took:.1f} s; from the second quarter to the last: "
        + ", ".join(f"{name} {_change(samples, name)}" for name in samples[0] if name != "seconds")
    )
    assert not lost
    assert not repeated
    for name, dust in DUST.items():
        assert is_flat([sample[name] for sample in samples], dust=dust), name
    assert max(sample["log"] for sample in samples) < LOG


async def _measure(trial: Trial) -> float:
    """Return how many notifications a second are delivered when as many as possible come."""
    await asyncio.sleep(BURST)
    delivered = len(trial.receiver.arrivals)
    trial.load.over.set()
    await _arrived(trial, trial.load.accepted)
    return delivered / BURST


async def _arrived(trial: Trial, accepted: Iterable[str]) -> None:
    """Return when all that went to the receiver is settled."""
    query = (
        "SELECT id FROM deliveries WHERE channel = 'gateway'"
        " AND (state = 'waiting' OR state = 'sending') LIMIT 1"
    )
    deadline = time.monotonic() + 300
    while await read_rows(trial.database, query) or len(trial.receiver.arrivals) < len(
        list(accepted)
    ):
        assert time.monotonic() < deadline, "something is stuck"
        await asyncio.sleep(1)


async def _sample(trial: Trial, database: Path, loads: list[Load]) -> list[Sample]:
    """Return what the router takes, so many times over the whole time."""
    samples: list[Sample] = []
    began = time.monotonic()
    rules = database.with_name("rules.yaml")
    text = rules.read_text()
    async with aiohttp.ClientSession(headers=OPERATOR) as session:
        for number in range(SAMPLES):
            due = began + number * MINUTES * 60 / SAMPLES
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if number % RELOADS == RELOADS - 1:
                rules.write_text(f"{text}# {number}\n")
                trial.process.send(signal.SIGHUP)
            async with session.get(trial.process.url + "/v1/notifications?limit=200") as answer:
                assert answer.status == 200, await answer.text()
            async with session.get(trial.process.url + "/metrics") as answer:
                figures = _figures(await answer.text())
            samples.append(
                {
                    "seconds": time.monotonic() - began,
                    **figures,
                    **_look_at(trial.process.pid),
                    "database": _size(database),
                    "log": _size(database.with_name("router.db-wal")),
                    "accepted": sum(len(load.accepted) for load in loads),
                    "delivered": len(trial.receiver.arrivals),
                }
            )
    return samples


def _figures(exposition: str) -> Sample:
    return {
        FIGURES[family.name]: family.samples[0].value
        for family in text_string_to_metric_families(exposition)
        if family.name in FIGURES
    }


def _look_at(pid: int) -> Sample:
    """Return how many threads and connections a process has."""
    sockets = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets += str(file.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue  # closed in the meantime
    return {"threads": len(list(Path(f"/proc/{pid}/task").iterdir())), "connections": sockets}


def _size(file: Path) -> int:
    return file.stat().st_size


def _write(path: Path, samples: list[Sample]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, samples[0].keys())
        writer.writeheader()
        writer.writerows(samples)


def _change(samples: list[Sample], name: str) -> str:
    before, after = quarters([sample[name] for sample in samples])
    return f"{before:.0f} → {after:.0f}"
