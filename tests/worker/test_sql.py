"""The same laws on the SQL engine, with journal, queue and log as the router has them."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.delivery import Delivery
from router.core.message import Content
from router.core.notification import Notification, derive
from router.core.payload import decode
from router.queue.engine import SqlJournal, SqlQueue
from router.queue.ports import ChannelStats, Entry, Held, Plan
from router.store.database import Database
from router.store.log import Log
from router.telemetry import Metrics
from router.worker import Worker
from tests.conftest import url_of
from tests.worker.laws import ENDS, PLANS, Fates, Planned, check_end, check_sends
from tests.worker.stage import HOUR, Collapsing, Scripted, StageSettings
from tests.worker.virtual import now, play, threaded


class PatientQueue(SqlQueue):
    """The queue, in virtual time."""

    async def holds(self, *, now: float) -> Sequence[Held]:
        return await threaded(super().holds(now=now))

    async def stats(self, *, now: float) -> dict[str, ChannelStats]:
        return await threaded(super().stats(now=now))


class SqlStage:
    """A worker on a database, and a planner that decides what it is told."""

    def __init__(self, database: Database, channel: Scripted) -> None:
        self.journal = SqlJournal(database, clock=now)
        self.log = Log(database)
        self.worker = Worker(
            PatientQueue(database),
            lambda *which: threaded(self.log.open_deliveries(*which)),
            {"ops": channel}.get,
            Metrics(),
            names=lambda: ["ops"],
            clock=now,
            dice=lambda: 0.5,
        )

    async def accept(self, number: int, plan: Planned) -> tuple[Notification, Delivery]:
        """Accept a notification; return it with the delivery that is planned for it."""
        details = {"title": f"title {number}", "type": "call" if plan.urgent else "chat"}
        data = {"to": {"uid": plan.address}, "notificationDetails": details}
        trigger = "push-notification-payload-generated"
        body = msgspec.json.encode({"trigger": trigger, "webhook": "custom", "data": data})
        about = derive(decode(body), id=f"{number:028x}", accepted_at=now())
        await self.journal.append(Entry(notification=about, body=body, window=HOUR))
        delivery = Delivery(
            id=f"{about.id}-0",
            notification=about.id,
            rule="rule",
            step=0,
            channel="ops",
            address=plan.address,
            lane=plan.address,
            due_at=now(),
            expires_at=now() + HOUR,
            urgent=plan.urgent,
            content=Content(title="title", body="body"),
        )
        return about, delivery

    async def plan(self, about: Notification, delivery: Delivery, *, handed: bool) -> None:
        """Write the plan of a delivery, and hand it over if that is wished and possible."""
        if handed and self.worker.room("ops"):
            delivery = msgspec.structs.replace(delivery, state="sending", lease_until=now() + 30)
        plan = Plan(
            notification=about.id,
            decided_at=now(),
            state="pending",
            version="v",
            deliveries=(delivery,),
        )
        settled = await self.journal.settle([plan])
        if delivery.id in settled.leased:
            self.worker.take(delivery, about, None)
        else:
            self.worker.wake()

    async def is_over(self) -> bool:
        """Return whether every delivery has ended."""
        page = await threaded(self.log.deliveries(limit=200))
        return all(item.state in ENDS for item in page.items)


async def act(path: Path, plans: list[Planned], slots: int, kind: type[Scripted]) -> None:
    """Run the plans until all is over, and check the laws."""
    database = await threaded(Database.open(url_of(path)))
    try:
        await act_on(database, plans, slots, kind)
    finally:
        await threaded(database.close())


async def act_on(
    database: Database, plans: list[Planned], slots: int, kind: type[Scripted]
) -> None:
    fates = Fates()
    channel = kind(StageSettings(concurrency=slots), fates.play)
    stage = SqlStage(database, channel)
    run = asyncio.create_task(stage.worker.run())
    await asyncio.sleep(0.01)
    for number, plan in enumerate(plans):
        about, delivery = await stage.accept(number, plan)
        fates.plans[delivery.id] = plan
        await stage.plan(about, delivery, handed=plan.handed)
        await asyncio.sleep(plan.pause)
    for _ in range(100):
        if await stage.is_over():
            break
        await asyncio.sleep(40)
    await stage.worker.stop(0)
    await run

    check_sends(channel, fates.plans, slots)
    for name in fates.plans:
        trail = await threaded(stage.log.delivery(name))
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
        play(act(path, plans, slots, kind))
