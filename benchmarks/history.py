"""Throughput with a long log, beside that with an empty one."""

import asyncio
import sqlite3
import time
from contextlib import AsyncExitStack, closing
from itertools import islice
from pathlib import Path

from sqlalchemy import Table

from benchmarks.accept import SEND
from benchmarks.deployment import Deployment
from benchmarks.load import generate
from benchmarks.measurement import MIB, MICRO, Effort, Line, Report, Round, Tell, ratio
from benchmarks.payloads import webhooks
from benchmarks.process import PATIENCE, Subject
from router.store.schema.tables import attempts, deliveries, notifications, payloads, seen

SEEDS = 1000
"""How many notifications are really delivered before their rows are copied."""

EMPTY, LONG = "empty log", "long log"
SANDBOX = {"ROUTER_SANDBOX": "true"}

COPIED = {
    notifications: ("id",),
    payloads: ("notification",),
    deliveries: ("id", "notification"),
    attempts: ("delivery",),
    seen: ("key", "notification"),
}
"""The tables of the log, with the columns that begin with the time in milliseconds."""


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Deliver to a sandbox, in turn with a log of nothing and one of many notifications.

    The long log is made of rows that a router wrote, copied with earlier ids.
    """
    long = Deployment(folder / "long", SEND)
    seeds = min(SEEDS, effort.rows)
    async with long.serving(SANDBOX) as subject:
        await _deliver(subject, long, seeds)
    copies = effort.rows // seeds
    tell(f"history: {copies * seeds:,} notifications are put into the log")
    await asyncio.to_thread(_copy, long.database, copies - 1)
    empty = Deployment(folder / "empty", SEND)
    rounds: dict[str, list[Round]] = {EMPTY: [], LONG: []}
    async with AsyncExitStack() as stack:
        served = {
            EMPTY: (await stack.enter_async_context(empty.serving(SANDBOX)), empty),
            LONG: (await stack.enter_async_context(long.serving(SANDBOX)), long),
        }
        for subject, deployment in served.values():
            await _deliver(subject, deployment, max(1, effort.notifications // 4))
        for number in range(effort.rounds):
            tell(f"history: round {number + 1} of {effort.rounds}")
            for name, (subject, deployment) in served.items():
                found = await _deliver(subject, deployment, effort.notifications)
                rounds[name].append(found)
        size = long.database.stat().st_size / MIB
    rows = f"{copies * seeds:,} notifications"
    lines = [
        Line(
            what=f"deliveries/s with {rows} in the log, against none",
            value=ratio(rounds[LONG], rounds[EMPTY], "deliveries/s"),
            unit="×",
            at_least=0.85,
        ),
        Line(
            what=f"CPU for each with {rows} in the log, against none",
            value=ratio(rounds[LONG], rounds[EMPTY], "CPU µs"),
            unit="×",
        ),
        Line(what=f"size of the database of {rows}", value=size, unit="MiB"),
    ]
    return Report(name="history", title="A long log", lines=lines, rounds=rounds)


async def _deliver(subject: Subject, deployment: Deployment, count: int) -> Round:
    await subject.rest()
    last, cpu, began = deployment.last(), subject.cpu(), time.perf_counter()
    load = await generate(subject.port, islice(webhooks(), count))
    async with asyncio.timeout(PATIENCE):
        while deployment.delivered(last) < count:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    resident = subject.resident()
    await subject.rest()
    return {
        "deliveries/s": count / seconds,
        "CPU µs": (subject.cpu() - cpu) / count * MICRO,
        "resident MiB": resident / MIB,
        "refused": load.refused,
    }


def _copy(database: Path, times: int) -> None:
    """Copy every row of the log so many times, each copy a second older, the oldest first."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        now = int(connection.execute("SELECT min(id) FROM notifications").fetchone()[0][:12], 16)
        statements = [_copying(connection, table, stamped) for table, stamped in COPIED.items()]
        for copy in range(times, 0, -1):
            stamp = f"{now - copy * 1000:012x}"
            for statement, first in statements:
                connection.execute(statement, {"stamp": stamp, "first": first})
            connection.commit()


def _copying(
    connection: sqlite3.Connection, table: Table, stamped: tuple[str, ...]
) -> tuple[str, str]:
    """Return the statement that copies a table's first rows, and the first key of these."""
    names = [column.name for column in table.columns]
    values = [f":stamp || substr({n}, 13)" if n in stamped else n for n in names]
    key = stamped[0]
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - names of our own
        f"SELECT {', '.join(values)} FROM {table.name} WHERE {key} >= :first"
    )
    first = connection.execute(f"SELECT min({key}) FROM {table.name}").fetchone()[0]  # noqa: S608 - the same
    return statement, first
