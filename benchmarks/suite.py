"""Every benchmark by its name, and how they are run one after the other."""

import tempfile
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from benchmarks import accept, decision, delivery, group, history, memory, push, reload
from benchmarks.machine import describe
from benchmarks.measurement import Effort, Report, Tell
from benchmarks.results import Results

Measure = Callable[[Effort, Path, Tell], Awaitable[Report]]

BENCHMARKS: dict[str, Measure] = {
    "accept": accept.measure,
    "delivery": delivery.measure,
    "push": push.measure,
    "group": group.measure,
    "decision": decision.measure,
    "reload": reload.measure,
    "memory": memory.measure,
    "history": history.measure,
}


async def run(
    names: Collection[str], effort: Effort, tell: Tell, done: Callable[[Report], None]
) -> Results:
    """Return what the benchmarks found; each report is handed to `done` when it is made."""
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        machine = describe(Path(scratch))
        for name in names:
            folder = Path(scratch) / name
            folder.mkdir()
            report = await BENCHMARKS[name](effort, folder, tell)
            done(report)
            reports.append(report)
    return Results(form=effort.form, machine=machine, reports=reports)
