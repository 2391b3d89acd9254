"""A daily cap that several workers share, on a database."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

from router.core.model.outcome import Delivered, Outcome
from router.queue.engine import SqlQueue
from router.store.db.database import Database
from tests.conftest import url_of
from tests.worker.harness import Scripted, ScriptedSettings
from tests.worker.sending_laws import Planned
from tests.worker.sql_harness import SqlHarness, TimelessDatabase
from tests.worker.virtual_time import now, run_in_virtual_time, threaded

CAP, PLANNED, SLOTS = 20, 60, 4


async def take(_: object) -> Outcome:
    """Play a provider that takes a message after a while."""
    await asyncio.sleep(0.3)
    return Delivered()


async def open_all(path: Path, count: int) -> list[Database]:
    return [await threaded(TimelessDatabase.open(url_of(path))) for _ in range(count)]


def test_two_workers_exceed_their_cap_by_no_more_than_what_is_in_flight(
    migrated: Path, tmp_path: Path
) -> None:
    path = tmp_path / "router.db"
    shutil.copy(migrated, path)

    async def scenario() -> None:
        databases = await open_all(path, 2)
        settings = ScriptedSettings(concurrency=SLOTS, cap=f"{CAP}/day")
        channels = [Scripted(settings, take) for _ in databases]
        stages = [SqlHarness(*pair) for pair in zip(databases, channels, strict=True)]
        runs = [asyncio.create_task(harness.worker.run()) for harness in stages]
        await asyncio.sleep(1)
        for number in range(PLANNED):
            harness = stages[number % 2]
            plan = Planned(f"a{number}", urgent=False, handed=False, pause=0.0, takes=0.0, tries=())
            await harness.plan([(await harness.accept(number, plan), plan)])
        await asyncio.sleep(60)
        sent = [len(channel.sent) for channel in channels]
        assert CAP <= sum(sent) <= CAP + 2 * SLOTS
        assert min(sent) > 0
        (count,) = await SqlQueue(databases[0]).daily_counts(now=now())
        assert count.count == sum(sent)
        states, _ = await stages[0].tally()
        assert Counter(states.values()) == {
            "delivered": sum(sent),
            "waiting": PLANNED - sum(sent),
        }
        for harness, run in zip(stages, runs, strict=True):
            await harness.worker.stop(0)
            await run
        for database in databases:
            await database.close()

    run_in_virtual_time(scenario())
