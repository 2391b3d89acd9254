"""A hundred recipients with ten messages each, and several workers on one database."""

import asyncio
import random
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.store.database import Database
from tests.conftest import url_of
from tests.worker.laws import ENDS, HANG, RAISE, Fates, Planned, check_end, check_sends
from tests.worker.stage import Collapsing, Stage, StageSettings
from tests.worker.test_sql import SqlStage
from tests.worker.virtual import play, threaded

FAULTS: tuple[Outcome | str, ...] = (
    *(Retry(status=503, reason="busy"), Retry(status=429, reason="slow down", after=2.0)),
    *(
        Unknown(reason="no answer"),
        Rejected(status=400, reason="no"),
        Suspend(reason="key", after=1.0),
    ),
    *(HANG, RAISE),
)
SLOTS = 8


def draw(dice: random.Random, recipients: int, messages: int, faulty: float) -> list[Planned]:
    """Return messages to every recipient, in a random order of acceptance, some of them faulty."""
    addresses = [f"a{number}" for number in range(recipients)] * messages
    dice.shuffle(addresses)
    return [
        Planned(
            address=address,
            urgent=dice.random() < 0.05,
            handed=dice.random() < 0.5,
            pause=dice.choice((0.0, 0.0, 0.0, 0.01, 0.5)),
            takes=dice.choice((0.0, 0.02, 0.3)),
            tries=(dice.choice(FAULTS),) if dice.random() < faulty else (Delivered(),),
        )
        for address in addresses
    ]


async def act(plans: list[Planned]) -> None:
    stage, fates = Stage(dice=lambda: 0.5), Fates()
    channel = stage.open(fates.play, kind=Collapsing, concurrency=SLOTS)
    run = asyncio.create_task(stage.worker.run())
    for plan in plans:
        name = stage.plan(plan.address, urgent=plan.urgent, handed=plan.handed)
        fates.plans[name] = plan
        await asyncio.sleep(plan.pause)
    for _ in range(400):
        if all(row.state in ENDS for row in stage.queue.deliveries.values()):
            break
        await asyncio.sleep(10)
    await stage.worker.stop(0)
    await run

    check_sends(channel, fates.plans, SLOTS)
    for name in fates.plans:
        check_end(name, stage.queue.deliveries[name].state, stage.tries(name), channel)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), faulty=st.sampled_from([0.05, 0.2, 0.4]))
def test_a_hundred_recipients_get_ten_messages_each_in_order(seed: int, faulty: float) -> None:
    play(act(draw(random.Random(seed), 100, 10, faulty)))  # noqa: S311 - no secret


async def act_with_rivals(path: Path, plans: list[Planned], workers: int, seed: int) -> None:
    dice, fates = random.Random(seed), Fates()  # noqa: S311 - no secret
    channel = Collapsing(StageSettings(concurrency=SLOTS), fates.play)
    async with AsyncExitStack() as stack:
        stages: list[SqlStage] = []
        for _ in range(workers):
            database = await threaded(Database.open(url_of(path)))
            stack.push_async_callback(_close, database)
            stages.append(SqlStage(database, channel))
        runs = [asyncio.create_task(stage.worker.run()) for stage in stages]
        for number, plan in enumerate(plans):
            stage = dice.choice(stages)
            about, delivery = await threaded(stage.accept(number, plan))
            fates.plans[delivery.id] = plan
            await threaded(stage.plan(about, delivery, handed=plan.handed))
            await asyncio.sleep(plan.pause)
        for _ in range(100):
            if await stages[0].is_over():
                break
            await asyncio.sleep(60)
        for stage in stages:
            await stage.worker.stop(0)
        await asyncio.gather(*runs)

        check_sends(channel, fates.plans, SLOTS, workers=workers)
        for name in fates.plans:
            trail = await threaded(stages[0].log.delivery(name))
            assert trail is not None
            check_end(name, trail.delivery.state, trail.attempts, channel)


async def _close(database: Database) -> None:
    await threaded(database.close())


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), workers=st.integers(2, 4))
def test_several_workers_on_one_database_keep_lanes_and_order(
    migrated: Path, seed: int, workers: int
) -> None:
    plans = draw(random.Random(seed), 20, 10, 0.15)  # noqa: S311 - no secret
    with TemporaryDirectory() as folder:
        path = Path(folder) / "router.db"
        shutil.copy(migrated, path)
        play(act_with_rivals(path, plans, workers, seed))
