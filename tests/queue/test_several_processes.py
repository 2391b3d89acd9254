"""Several processes on one PostgreSQL: each is a database that is opened for itself."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, text

from router.core.model.facts import OnceKey, StateChanges
from router.core.model.retry import Again, Done
from router.queue.claim import claim
from router.queue.ports import Settlement
from router.queue.settle import settle
from router.store.db.database import Database
from router.store.recipients.repository import ProfilePatch, Recipients
from tests.queue.rows import QueueRows
from tests.queue.test_sql_engine import SqlEngine
from tests.store.blocked_writer import Gate

Fields = dict[str, Any]

PROCESSES = 3


@pytest.fixture
async def queue_row_sets(postgres_url: str) -> AsyncIterator[list[QueueRows]]:
    """A queue_rows for each process; together they number what they make."""
    opened = [await Database.open(postgres_url) for _ in range(PROCESSES)]
    queue_row_sets = [QueueRows(SqlEngine.over(database)) for database in opened]
    for queue_rows in queue_row_sets:
        queue_rows.numbers = queue_row_sets[0].numbers
    yield queue_row_sets
    for database in opened:
        await database.close()


def database_of(queue_rows: QueueRows) -> Database:
    assert isinstance(queue_rows.engine, SqlEngine)
    return queue_rows.engine.database


async def test_of_one_payload_at_many_doors_exactly_one_is_accepted(
    queue_row_sets: list[QueueRows],
) -> None:
    for said in ("one", "two", "three"):
        posts = (queue_rows.append(text=said) for queue_rows in queue_row_sets for _ in range(20))
        receipts = await asyncio.gather(*posts)
        assert len({receipt.id for receipt in receipts}) == 1
        assert [receipt.duplicate for receipt in receipts].count(False) == 1
    assert len(await queue_row_sets[0].engine.journal.unplanned(after="", limit=99)) == 3


async def test_what_several_plan_at_once_is_planned_once_and_leased_to_one(
    queue_row_sets: list[QueueRows],
) -> None:
    accepted = [await queue_row_sets[0].accept(uid=f"u{number}") for number in range(60)]
    lease: Fields = {"state": "sending", "handouts": 1, "lease_until": queue_row_sets[0].now + 30}
    plans = [
        queue_row_sets[0].plan(each.id, queue_row_sets[0].delivery(each.id, **lease))
        for each in accepted
    ]
    settled = await asyncio.gather(
        *(queue_rows.engine.journal.settle(plans) for queue_rows in queue_row_sets)
    )
    leased = Counter(chain.from_iterable(each.leased for each in settled))
    assert leased == Counter({f"{each.id}-0": 1 for each in accepted})
    assert all(each.refused == {} for each in settled)
    stats = await queue_row_sets[0].engine.queue.stats(now=queue_row_sets[0].now)
    assert stats["app"].sending == 60


async def test_a_plan_waits_for_what_the_recipient_was_sent_before(
    queue_row_sets: list[QueueRows],
) -> None:
    one, other = queue_row_sets[:2]
    first, second, stranger = [await one.accept(uid=uid) for uid in ("bob", "bob", "ann")]
    late = [other.plan(each.id, other.delivery(each.id)) for each in (second, stranger)]
    assert (await other.engine.journal.settle(late)).stale == {second.id}
    assert await one.engine.state(second.id) == "accepted"
    await one.settle(one.plan(first.id, one.delivery(first.id)))
    assert (await other.engine.journal.settle(late)).stale == frozenset()
    assert await one.claimed() == [f"{each.id}-0" for each in (first, second, stranger)]


async def test_a_call_that_rings_is_planned_before_what_came_earlier(
    queue_row_sets: list[QueueRows],
) -> None:
    one, other = queue_row_sets[:2]
    await one.accept(uid="bob")
    call = await one.accept(uid="bob")
    plan = other.plan(call.id, other.delivery(call.id, urgent=True))
    assert (await other.settle(plan)).stale == frozenset()
    assert await one.claimed() == [f"{call.id}-0"]


async def test_a_once_key_that_another_took_makes_a_plan_stale(
    queue_row_sets: list[QueueRows],
) -> None:
    accepted = [await queue_row_sets[0].accept(uid=uid) for uid in ("ann", "bob", "cat")]
    key, own = (OnceKey("e", "r", 0, "c", name) for name in ("shared", "own"))
    plans = [
        queue_row_sets[0].plan(
            each.id,
            queue_row_sets[0].delivery(each.id),
            effects=StateChanges(
                once=(
                    (key, f"{each.id}-0"),
                    (replace(own, event=each.id), f"{each.id}-0"),
                )
            ),
        )
        for each in accepted
    ]
    settled = await asyncio.gather(
        *(queue_rows.settle(plan) for queue_rows, plan in zip(queue_row_sets, plans, strict=True))
    )
    stale = set().union(*(each.stale for each in settled))
    (winner,) = {each.id for each in accepted} - stale
    assert await queue_row_sets[0].engine.holder(key) == f"{winner}-0"
    for id_ in stale:
        assert await queue_row_sets[0].engine.state(id_) == "accepted"
        assert await queue_row_sets[0].engine.holder(replace(own, event=id_)) is None
    assert await queue_row_sets[0].claimed() == [f"{winner}-0"]


async def test_what_several_claim_at_once_is_leased_once_and_of_a_lane_one_at_a_time(
    queue_row_sets: list[QueueRows],
) -> None:
    lanes = {}
    for number in range(90):
        lane = f"lane {number % 30}"
        lanes[await queue_row_sets[0].put(address=lane)] = lane
    order: dict[str, list[str]] = {lane: [] for lane in lanes.values()}
    done: set[str] = set()
    while len(done) < 90:
        claims = await asyncio.gather(*(queue_rows.claimed(7) for queue_rows in queue_row_sets))
        claimed = list(chain.from_iterable(claims))
        assert claimed, "nothing can be claimed"
        assert len({lanes[id_] for id_ in claimed}) == len(claimed), "two of a lane at once"
        assert done.isdisjoint(claimed)
        for queue_rows, ids in zip(queue_row_sets, claims, strict=True):
            ends = [Settlement(delivery=id_, attempt=None, next=Done()) for id_ in ids]
            assert await queue_rows.engine.queue.settle(ends) == []
        for id_ in claimed:
            order[lanes[id_]].append(id_)
        done.update(claimed)
    assert all(ids == sorted(ids) for ids in order.values())


async def test_planning_and_claiming_meet_in_a_lane_without_harm(
    queue_row_sets: list[QueueRows],
) -> None:
    one, other, third = queue_row_sets
    for round_ in range(15):
        retries = [await one.put(address=f"to {n}", due_at=one.now + 1) for n in range(5)]
        accepted = [await one.accept(uid=f"{round_} {number}") for number in range(5)]
        lease: Fields = {"state": "sending", "handouts": 1, "lease_until": one.now + 30}
        plans = [
            one.plan(each.id, one.delivery(each.id, address=f"to {number}", **lease))
            for number, each in enumerate(accepted)
        ]
        third.now = one.now + 1  # its clock is ahead: what will be due is due
        settled, claimed, _ = await asyncio.gather(
            other.engine.journal.settle(plans), third.claimed(), asyncio.sleep(0)
        )
        assert settled.refused == {}
        assert len(settled.leased) + len(claimed) >= 5
        for queue_rows, ids in ((other, settled.leased), (third, claimed)):
            ends = [Settlement(delivery=id_, attempt=None, next=Done()) for id_ in ids]
            assert await queue_rows.engine.queue.settle(ends) == []
        one.now += 2
        left = [*retries, *(f"{each.id}-0" for each in accepted)]
        while ids := await one.claimed():
            ends = [Settlement(delivery=id_, attempt=None, next=Done()) for id_ in ids]
            await one.engine.queue.settle(ends)
        assert {(await one.engine.delivery(id_)).state for id_ in left} == {"delivered"}


async def test_a_lease_is_its_owners_until_it_runs_out_and_then_anothers(
    queue_row_sets: list[QueueRows],
) -> None:
    one, other = queue_row_sets[:2]
    delivery = await one.put()
    assert await one.claimed() == [delivery]
    again = Settlement(delivery=delivery, attempt=one.attempt(delivery), next=Again(one.now))
    assert await other.engine.queue.settle([again]) == [delivery]
    await other.engine.queue.release([delivery])
    await other.engine.queue.extend([delivery], until=one.now + 999)
    assert (await one.engine.delivery(delivery)).lease_until == one.now + 30
    other.now += 30
    assert await other.claimed() == [delivery]
    assert await one.engine.queue.settle([again]) == [delivery]
    await one.engine.queue.release([delivery])
    assert (await one.engine.delivery(delivery)).state == "sending"
    done = Settlement(delivery=delivery, attempt=one.attempt(delivery), next=Done())
    assert await one.engine.queue.settle([done]) == [], "what arrived has arrived"
    assert (await one.engine.delivery(delivery)).state == "delivered"


async def test_lost_leases_are_taken_back_by_one(queue_row_sets: list[QueueRows]) -> None:
    for round_ in range(5):
        ids = [await queue_row_sets[0].put(address=f"{round_} {number}") for number in range(20)]
        assert await queue_row_sets[0].claimed() == ids
        for queue_rows in queue_row_sets:
            queue_rows.now += 30
        claims = await asyncio.gather(*(queue_rows.claimed() for queue_rows in queue_row_sets[1:]))
        assert sorted(chain.from_iterable(claims)) == ids
        for queue_rows, claimed in zip(queue_row_sets[1:], claims, strict=True):
            ends = [Settlement(delivery=id_, attempt=None, next=Done()) for id_ in claimed]
            assert await queue_rows.engine.queue.settle(ends) == []


async def test_a_notification_ends_when_the_last_of_its_deliveries_does_whoever_sent_it(
    queue_row_sets: list[QueueRows],
) -> None:
    one = queue_row_sets[0]
    accepted = [await one.accept(uid=f"u{number}") for number in range(30)]
    for each in accepted:
        parts = [one.delivery(each.id, number, address=str(number)) for number in range(PROCESSES)]
        parts = [replace(part, lane=f"{each.id} {part.step}", channel="app") for part in parts]
        await one.settle(one.plan(each.id, *parts))
    shares = [await queue_rows.claimed(30) for queue_rows in queue_row_sets]
    assert sum(map(len, shares)) == 30 * PROCESSES
    ends = [[Settlement(delivery=id_, attempt=None, next=Done()) for id_ in ids] for ids in shares]
    for start in range(0, 30, 3):
        settling = (
            queue_rows.engine.queue.settle(share[start : start + 3])
            for queue_rows, share in zip(queue_row_sets, ends, strict=True)
        )
        assert await asyncio.gather(*settling) == [[]] * PROCESSES
    assert Counter([await one.engine.state(each.id) for each in accepted]) == {"delivered": 30}


async def test_of_two_ends_at_the_same_moment_the_second_sees_the_first(
    queue_row_sets: list[QueueRows],
) -> None:
    one, other = queue_row_sets[:2]
    about = await one.accept()
    parts = [one.delivery(about.id, number, address=str(number)) for number in range(2)]
    await one.settle(one.plan(about.id, *parts))
    (first,), (second,) = await one.claimed(1), await other.claimed(1)
    gate = Gate()
    ends = [Settlement(delivery=id_, attempt=None, next=Done()) for id_ in (first, second)]

    def settle_and_wait(connection: Connection) -> None:
        settle(connection, ends[:1], owner=database_of(one).owner, clock=time.time)
        gate.wait(connection)

    settling = asyncio.create_task(database_of(one).write(settle_and_wait))
    await gate.entered.wait()
    following = asyncio.create_task(other.engine.queue.settle(ends[1:]))
    blocked = text("SELECT 1 FROM pg_locks WHERE NOT granted")
    for _ in range(500):
        if await database_of(one).read(lambda c: c.execute(blocked).all()):
            break
        await asyncio.sleep(0.02)
    gate.open()
    await settling
    assert await following == []
    assert await one.engine.state(about.id) == "delivered"


async def test_a_plan_does_not_wait_for_a_claim_in_its_lane(
    queue_row_sets: list[QueueRows],
) -> None:
    one, other = queue_row_sets[:2]
    retry = await one.put(address="bob", due_at=one.now + 1)
    accepted = await one.accept(uid="bob")
    fields: Fields = {"state": "sending", "handouts": 1, "lease_until": one.now + 30}
    plan = other.plan(accepted.id, other.delivery(accepted.id, address="bob", **fields))
    gate = Gate()

    def claim_and_wait(connection: Connection) -> None:
        now = one.now + 1  # its clock is ahead
        claim(connection, owner="one", now=now, until=now + 30, limit=9, room=None)
        gate.wait(connection)

    claiming = asyncio.create_task(database_of(one).write(claim_and_wait))
    await gate.entered.wait()
    async with asyncio.timeout(3):
        settled = await other.settle(plan)
    assert (settled.leased, settled.refused) == (frozenset(), {})
    gate.open()
    await claiming
    assert (await one.engine.delivery(retry)).state == "sending"
    assert (await one.engine.delivery(f"{accepted.id}-0")).state == "waiting"


async def test_two_changes_of_a_recipient_at_once_are_both_kept(
    queue_row_sets: list[QueueRows],
) -> None:
    registries = [Recipients(database_of(queue_rows)) for queue_rows in queue_row_sets]
    for round_ in range(10):
        changes = (
            registry.put("bob", ProfilePatch(attributes={f"{round_} {number}": number}), "app")
            for number, registry in enumerate(registries)
        )
        await asyncio.gather(*changes)
    bob = await registries[0].get("bob", "app")
    assert bob is not None
    assert len(bob.attributes) == 10 * PROCESSES
