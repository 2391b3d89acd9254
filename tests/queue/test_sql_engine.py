"""The SQL engine keeps to the ports."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from router.core.model.delivery import Attempt, Delivery
from router.core.model.facts import OnceKey, StateChanges
from router.core.model.retry import Again, Dead, Done, Expired, Hold, NextStep
from router.queue.engine import SqlJournal, SqlQueue
from router.queue.ports import Settlement
from router.store.db import group_commit
from router.store.db.database import Database
from router.store.schema.rows import read_delivery
from router.store.schema.tables import attempts, deliveries, notifications, once
from tests.queue.conformance_claim import QueueConformance
from tests.queue.conformance_daily_caps import CapConformance
from tests.queue.conformance_edits import ChangingConformance
from tests.queue.conformance_holds import HoldingConformance
from tests.queue.conformance_journal import JournalConformance
from tests.queue.conformance_plan_changes import RevisingConformance
from tests.queue.conformance_settle import SettlingConformance
from tests.queue.conformance_wait_conditions import WatchingConformance
from tests.queue.rows import QueueRows


class SqlEngine:
    """The SQL engine on a database."""

    def __init__(self, url: str | None, database: Database) -> None:
        self.url = url
        self.opened = [database]
        self.use(database)

    @classmethod
    def over(cls, database: Database) -> "SqlEngine":
        """Return the engine on a database that somebody else opened, and closes."""
        return cls(None, database)

    def use(self, database: Database) -> None:
        self.database = database
        self.journal = SqlJournal(database)
        self.queue = SqlQueue(database)

    async def crash(self) -> None:
        assert self.url is not None
        database = await Database.open(self.url)
        self.opened.append(database)
        self.use(database)

    async def delivery(self, id_: str) -> Delivery:
        query = select(deliveries).where(deliveries.c.id == id_)
        return await self.database.read(lambda c: read_delivery(c.execute(query).one()))

    async def state(self, notification: str) -> str:
        query = select(notifications.c.state).where(notifications.c.id == notification)
        return await self.database.read(lambda c: c.execute(query).scalar_one())

    async def attempts(self, delivery: str) -> list[Attempt]:
        query = select(attempts).where(attempts.c.delivery == delivery)
        rows = await self.database.read(lambda c: c.execute(query).all())
        return [Attempt(**row._mapping) for row in rows]

    async def holder(self, key: OnceKey) -> str | None:
        query = select(once.c.delivery).where(
            once.c.event == key.event, once.c.rule == key.rule, once.c.address == key.address
        )
        return await self.database.read(lambda c: c.execute(query).scalar())


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[SqlEngine]:
    engine = SqlEngine(database_url, await Database.open(database_url))
    yield engine
    for database in engine.opened:
        await database.close()


class TestSqlCaps(CapConformance):
    """On the tables of both databases."""


class TestSqlChanging(ChangingConformance):
    pass


class TestSqlJournal(JournalConformance):
    pass


class TestSqlRevising(RevisingConformance):
    pass


class TestSqlQueue(QueueConformance):
    pass


class TestSqlHolding(HoldingConformance):
    pass


class TestSqlSettling(SettlingConformance):
    pass


class TestSqlWatching(WatchingConformance):
    pass


async def test_a_good_batch_is_never_taken_apart(
    engine: SqlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the batch was taken apart")

    monkeypatch.setattr(group_commit, "_apply_singly", refuse)
    queue_rows = QueueRows(engine)
    accepted = await asyncio.gather(*(queue_rows.accept() for _ in range(8)))
    plans = [queue_rows.plan(each.id, queue_rows.delivery(each.id)) for each in accepted[:6]]
    effects = [
        queue_rows.plan(
            each.id, effects=StateChanges(once=((OnceKey(each.id, "r", 0, "c", "a"), each.id),))
        )
        for each in accepted[6:]
    ]
    assert (await engine.journal.settle([*plans, *effects])).refused == {}
    ids = await queue_rows.claimed()
    assert len(ids) == 6
    ends: list[NextStep] = [
        Done("x"),
        Dead("no"),
        Again(queue_rows.now),
        Hold(queue_rows.now, "h"),
        Expired("e"),
    ]
    settlements = [
        Settlement(delivery=id_, attempt=queue_rows.attempt(id_), next=end)
        for id_, end in zip(ids, ends, strict=False)
    ]
    assert await engine.queue.settle(settlements) == []
