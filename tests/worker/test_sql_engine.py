"""The same laws on the SQL engine, with journal, queue and log as the router has them."""

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.store.db.database import Database
from tests.conftest import url_of
from tests.worker.harness import Collapsing, Scripted, ScriptedSettings
from tests.worker.sending_laws import PLANS, Fates, Planned, check_end, check_sends
from tests.worker.sql_harness import SqlHarness, TimelessDatabase
from tests.worker.virtual_time import run_in_virtual_time, threaded

pytestmark = pytest.mark.slow


async def act(path: Path, plans: list[Planned], slots: int, kind: type[Scripted]) -> None:
    """Run the plans until all is over, and check the laws."""
    database = await threaded(TimelessDatabase.open(url_of(path)))
    try:
        await act_on(database, plans, slots, kind)
    finally:
        await database.close()


async def act_on(
    database: Database, plans: list[Planned], slots: int, kind: type[Scripted]
) -> None:
    fates = Fates()
    channel = kind(ScriptedSettings(concurrency=slots), fates.play)
    harness = SqlHarness(database, channel)
    run = asyncio.create_task(harness.worker.run())
    await asyncio.sleep(0.01)
    for number, plan in enumerate(plans):
        about = await harness.accept(number, plan)
        fates.plans[f"{about.id}-0"] = plan
        await harness.plan([(about, plan)])
        await asyncio.sleep(plan.pause)
    for _ in range(100):
        if await harness.is_over():
            break
        await asyncio.sleep(40)
    await harness.worker.stop(0)
    await run

    check_sends(channel, fates.plans, slots)
    for name in fates.plans:
        trail = await harness.log.delivery(name)
        assert trail is not None
        check_end(name, trail.delivery.state, trail.attempts, channel)


@settings(
    max_examples=10,
    deadline=None,
    # An example plays on a database file of its own; only the migrated one is shared, and read.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(plans=PLANS, slots=st.integers(1, 6), kind=st.sampled_from([Scripted, Collapsing]))
def test_slots_lanes_and_order_are_kept_and_everything_ends_on_disk_too(
    migrated: Path, plans: list[Planned], slots: int, kind: type[Scripted]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "router.db"
        shutil.copy(migrated, path)
        run_in_virtual_time(act(path, plans, slots, kind))
