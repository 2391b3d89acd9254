"""What every journal keeps to."""

import asyncio
from typing import Any

from router.core.model.facts import OnceKey, StateChanges
from router.queue.ports import Receipt
from tests.queue.rows import HOUR, Engine, QueueRows


class JournalConformance:
    """Subclass it with a fixture `engine`."""

    async def test_what_was_appended_survives_a_crash(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        accepted = [await queue_rows.accept() for _ in range(5)]
        await engine.crash()
        assert await engine.journal.unplanned(after="", limit=10) == accepted

    async def test_many_appended_at_once_are_all_durable(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        receipts = await asyncio.gather(*(queue_rows.append() for _ in range(300)))
        await engine.crash()
        found = await engine.journal.unplanned(after="", limit=1000)
        assert [n.id for n in found] == sorted(receipt.id for receipt in receipts)

    async def test_a_repeat_gets_the_id_of_the_first(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first = await queue_rows.append(text="same")
        again = await queue_rows.append(text="same")
        assert again == Receipt(id=first.id, duplicate=True)
        assert len(await engine.journal.unplanned(after="", limit=10)) == 1

    async def test_repeats_at_the_same_moment_are_one(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        receipts = await asyncio.gather(*(queue_rows.append(text="same") for _ in range(50)))
        assert len({receipt.id for receipt in receipts}) == 1
        assert [receipt.duplicate for receipt in receipts].count(False) == 1

    async def test_a_repeat_after_a_crash_is_still_a_repeat(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first = await queue_rows.append(text="same")
        await engine.crash()
        assert await queue_rows.append(text="same") == Receipt(id=first.id, duplicate=True)

    async def test_the_same_for_someone_else_is_no_repeat(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        await queue_rows.append(uid="ann", text="same")
        assert not (await queue_rows.append(uid="bob", text="same")).duplicate

    async def test_a_repeat_after_its_window_is_new_and_starts_a_new_one(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        first = await queue_rows.append(text="digest", window=50.0)
        queue_rows.now += 49
        assert (await queue_rows.append(text="digest", window=50.0)).id == first.id
        queue_rows.now += 1
        second = await queue_rows.append(text="digest", window=50.0)
        assert not second.duplicate
        queue_rows.now += 49
        assert (await queue_rows.append(text="digest", window=50.0)).id == second.id

    async def test_the_unplanned_come_oldest_first_and_page_by_page(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [(await queue_rows.accept()).id for _ in range(5)]
        page = await engine.journal.unplanned(after="", limit=2)
        assert [n.id for n in page] == ids[:2]
        page = await engine.journal.unplanned(after=ids[1], limit=10)
        assert [n.id for n in page] == ids[2:]

    async def test_a_plan_and_its_deliveries_are_written(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        notification = await queue_rows.accept()
        delivery = queue_rows.delivery(
            notification.id, urgent=True, priority="high", lane="x", step=3
        )
        await queue_rows.settle(queue_rows.plan(notification.id, delivery))
        await engine.crash()
        assert await engine.delivery(delivery.id) == delivery
        assert await engine.state(notification.id) == "pending"
        assert await engine.journal.unplanned(after="", limit=10) == []

    async def test_a_second_plan_changes_nothing(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        notification = await queue_rows.accept()
        delivery = queue_rows.delivery(
            notification.id, state="sending", handouts=1, lease_until=9e9
        )
        plan = queue_rows.plan(notification.id, delivery)
        assert (await queue_rows.settle(plan)).leased == {delivery.id}
        assert (await queue_rows.settle(plan)).leased == frozenset()
        assert (await engine.journal.settle([plan, plan])).leased == frozenset()

    async def test_of_two_plans_in_one_go_the_first_counts(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        notification = await queue_rows.accept()
        dropped = queue_rows.plan(notification.id, reason="no_match")
        sent = queue_rows.plan(
            notification.id, queue_rows.delivery(notification.id, state="sending")
        )
        assert (await engine.journal.settle([dropped, sent])).leased == frozenset()
        assert await engine.state(notification.id) == "dropped"

    async def test_a_plan_for_nothing_is_not_written(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        settled = await queue_rows.settle(
            queue_rows.plan("gone", queue_rows.delivery("gone", state="sending"))
        )
        assert settled.leased == frozenset()
        assert await queue_rows.claimed() == []

    async def test_a_bad_plan_is_refused_alone(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        good, bad, other = [await queue_rows.accept(uid=uid) for uid in ("ann", "bob", "cat")]
        plans = [
            queue_rows.plan(good.id, queue_rows.delivery(good.id)),
            queue_rows.plan(bad.id, queue_rows.delivery(bad.id, step=10**26)),
            queue_rows.plan(other.id, queue_rows.delivery(other.id, state="sending", handouts=1)),
        ]
        settled = await engine.journal.settle(plans)
        assert set(settled.refused) == {bad.id}
        assert settled.leased == {f"{other.id}-0"}
        assert await engine.state(bad.id) == "accepted"
        assert await engine.state(good.id) == "pending"

    async def test_what_is_due_is_leased_with_the_plan(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        notification = await queue_rows.accept()
        lease: dict[str, Any] = {
            "state": "sending",
            "handouts": 1,
            "lease_until": queue_rows.now + 30,
        }
        delivery = queue_rows.delivery(notification.id, **lease)
        settled = await queue_rows.settle(queue_rows.plan(notification.id, delivery))
        assert settled.leased == {delivery.id}
        assert await queue_rows.claimed() == []
        queue_rows.now += 30
        assert await queue_rows.claimed() == [delivery.id]

    async def test_a_plan_leases_nothing_in_a_lane_that_is_busy_or_has_a_line(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        lease: dict[str, Any] = {
            "state": "sending",
            "handouts": 1,
            "lease_until": queue_rows.now + 30,
        }
        one, two, three = [await queue_rows.accept() for _ in range(3)]
        first = queue_rows.delivery(one.id, address="bob", **lease)
        second = queue_rows.delivery(two.id, address="bob", **lease)
        both = await engine.journal.settle(
            [queue_rows.plan(one.id, first), queue_rows.plan(two.id, second)]
        )
        assert both.leased == {first.id}
        third = queue_rows.delivery(three.id, address="bob", **lease)
        assert (await queue_rows.settle(queue_rows.plan(three.id, third))).leased == frozenset()
        queue_rows.now += 30
        assert await queue_rows.claimed() == [first.id]

    async def test_a_delivery_that_waits_for_later_keeps_no_lane(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        await queue_rows.put(address="bob", due_at=queue_rows.now + HOUR)
        notification = await queue_rows.accept()
        delivery = queue_rows.delivery(notification.id, address="bob", state="sending", handouts=1)
        settled = await queue_rows.settle(queue_rows.plan(notification.id, delivery))
        assert settled.leased == {delivery.id}

    async def test_lanes_of_different_channels_are_different(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        notification = await queue_rows.accept()
        plan = queue_rows.plan(
            notification.id,
            queue_rows.delivery(notification.id, 0, channel="a", address="bob", state="sending"),
            queue_rows.delivery(notification.id, 1, channel="b", address="bob", state="sending"),
            queue_rows.delivery(
                notification.id, 2, channel="b", address="bob", lane="x", state="sending"
            ),
        )
        assert len((await queue_rows.settle(plan)).leased) == 3

    async def test_effects_are_written_with_the_plan_and_kept_by_the_first(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        key = OnceKey(event="e", rule="r", step=0, channel="c", address="a")
        one, two = await queue_rows.accept(), await queue_rows.accept()
        for notification in (one, two):
            effects = StateChanges(once=((key, f"{notification.id}-0"),))
            await queue_rows.settle(queue_rows.plan(notification.id, effects=effects))
        assert await engine.holder(key) == f"{one.id}-0"
