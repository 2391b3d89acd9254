"""What every queue keeps to: what became of deliveries."""

import asyncio

import pytest
from msgspec.structs import replace

from router.core.model.retry import Again, Cancelled, Dead, Done, Expired, Hold, NextStep
from router.queue.ports import ChannelHold, Settlement
from tests.queue.rows import HOUR, Engine, QueueRows


async def settle(
    queue_rows: QueueRows, delivery: str, next_: NextStep, *, tried: bool = True
) -> bool:
    """Settle one delivery; return whether its lease held."""
    attempt = queue_rows.attempt(delivery) if tried else None
    settlement = Settlement(delivery=delivery, attempt=attempt, next=next_)
    return await queue_rows.engine.queue.settle([settlement]) == []


class SettlingConformance:
    """Subclass it with a fixture `engine`."""

    async def test_a_delivered_one_keeps_its_handle_and_its_attempt(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        assert await settle(queue_rows, delivery, Done("m-1"))
        await engine.crash()
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.handle, ended.attempts) == ("delivered", "m-1", 1)
        assert list(await engine.attempts(delivery)) == [queue_rows.attempt(delivery)]
        assert await engine.state(ended.notification) == "delivered"

    @pytest.mark.parametrize(
        ("next_", "state"),
        [
            (Dead("wrong number"), "dead"),
            (Expired("too late"), "expired"),
            (Cancelled("contact_gone"), "cancelled"),
        ],
    )
    async def test_an_end_says_why(self, engine: Engine, next_: NextStep, state: str) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        assert await settle(queue_rows, delivery, next_, tried=state == "dead")
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.reason) == (state, getattr(next_, "reason"))  # noqa: B009 - each of them has one
        assert ended.attempts == (state == "dead")
        assert await engine.state(ended.notification) == "undelivered"

    async def test_a_retry_waits_until_its_time_and_counts(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        assert await settle(queue_rows, delivery, Again(queue_rows.now + 5))
        await engine.crash()
        queue_rows.now += 4.999
        assert await queue_rows.claimed() == []
        queue_rows.now += 0.001
        assert await queue_rows.claimed() == [delivery]
        again = await engine.delivery(delivery)
        assert (again.attempts, again.handouts) == (1, 1)
        assert await engine.state(again.notification) == "pending"

    async def test_a_hold_after_a_try_holds_the_channel_and_burns_no_attempt(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        delivery, other = await queue_rows.put(), await queue_rows.put()
        await queue_rows.claim(1)
        assert await settle(queue_rows, delivery, Hold(queue_rows.now + 60, "credential"))
        held = await engine.delivery(delivery)
        assert (held.state, held.attempts, held.reason) == ("waiting", 0, "credential")
        assert len(await engine.attempts(delivery)) == 1
        assert await engine.queue.holds(now=queue_rows.now) == [
            ChannelHold(channel="app", cause="suspended", until=queue_rows.now + 60)
        ]
        queue_rows.now += 60
        assert await queue_rows.claimed() == [delivery, other]
        queue_rows.now += 1
        assert await settle(queue_rows, delivery, Done(""))
        assert [a.number for a in await engine.attempts(delivery)] == [1, 1]

    async def test_a_hold_ended_early_lets_the_delivery_go(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        assert await settle(queue_rows, delivery, Hold(queue_rows.now + HOUR, "credential"))
        await engine.queue.resume("app")
        assert await queue_rows.claimed() == [delivery]

    async def test_a_hold_without_a_try_holds_the_lane_alone(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first, second = [await queue_rows.put(address="bob") for _ in range(2)]
        other = await queue_rows.put(address="ann")
        await queue_rows.claim(1)
        assert await settle(queue_rows, first, Hold(queue_rows.now + 60, "host_down"), tried=False)
        assert await queue_rows.claimed() == [other]
        await settle(queue_rows, other, Done(""))
        queue_rows.now += 30
        urgent, third = (
            await queue_rows.put(address="bob", urgent=True),
            await queue_rows.put(address="bob"),
        )
        assert await queue_rows.claimed() == []
        held = await engine.delivery(first)
        assert (held.state, held.reason, held.attempts) == ("waiting", "host_down", 0)
        assert held.due_at == queue_rows.now - 30
        queue_rows.now += 30
        for expected in (urgent, first, second, third):
            assert await queue_rows.claimed() == [expected]
            await settle(queue_rows, expected, Done(""))

    async def test_resuming_a_channel_lets_its_lanes_go(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ours, theirs = await queue_rows.put(channel="a"), await queue_rows.put(channel="b")
        await queue_rows.claim()
        for delivery in (ours, theirs):
            await settle(queue_rows, delivery, Hold(queue_rows.now + 60, "host_down"), tried=False)
        await engine.queue.resume("a", causes=("suspended", "paused"))
        assert await queue_rows.claimed() == []
        await engine.queue.resume("a")
        assert await queue_rows.claimed() == [ours]

    async def test_a_throttled_try_is_noted_and_does_not_count(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        assert await settle(queue_rows, delivery, Again(queue_rows.now + 5, counts=False))
        waiting = await engine.delivery(delivery)
        assert (waiting.state, waiting.attempts) == ("waiting", 0)
        assert waiting.due_at == queue_rows.now + 5
        assert len(await engine.attempts(delivery)) == 1

    async def test_settling_twice_is_settling_once(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        assert await settle(queue_rows, delivery, Done("first"))
        assert not await settle(queue_rows, delivery, Dead("second"))
        assert not await settle(queue_rows, delivery, Done("third"))
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.handle, ended.attempts) == ("delivered", "first", 1)
        assert len(await engine.attempts(delivery)) == 1

    async def test_the_same_twice_in_one_go_counts_once(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        done = Settlement(delivery=delivery, attempt=queue_rows.attempt(delivery), next=Done("x"))
        assert await engine.queue.settle([done, done]) == [delivery]
        assert (await engine.delivery(delivery)).attempts == 1

    async def test_a_settlement_after_the_lease_was_lost_is_reported(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        await engine.queue.release([delivery])
        assert not await settle(queue_rows, delivery, Dead("late"))
        assert not await settle(queue_rows, "unknown", Done(""))
        assert (await engine.delivery(delivery)).state == "waiting"

    async def test_a_late_success_is_never_thrown_away(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        await engine.queue.release([delivery])
        assert await settle(queue_rows, delivery, Done("late"))
        assert (await engine.delivery(delivery)).state == "delivered"
        assert await queue_rows.claimed() == []

    @pytest.mark.parametrize(
        ("ends", "state"),
        [
            ([Done("")], "delivered"),
            ([Done(""), Done("")], "delivered"),
            ([Done(""), Dead("no")], "partial"),
            ([Dead("no"), Expired("late")], "undelivered"),
            ([Done(""), Cancelled("gone")], "delivered"),
            ([Cancelled("gone")], "undelivered"),
            ([Done(""), Dead("no"), None], "pending"),
            ([Dead("no"), None], "pending"),
        ],
    )
    async def test_the_deliveries_make_the_state_of_the_notification(
        self, engine: Engine, ends: list[NextStep | None], state: str
    ) -> None:
        queue_rows = QueueRows(engine)
        notification = await queue_rows.accept()
        rows = [
            queue_rows.delivery(notification.id, ordinal, address=str(ordinal))
            for ordinal in range(len(ends))
        ]
        kept_back = queue_rows.delivery(
            notification.id, len(ends), state="suppressed", reason="muted"
        )
        await queue_rows.settle(queue_rows.plan(notification.id, *rows, kept_back))
        await queue_rows.claim()
        settlements = [
            Settlement(delivery=row.id, attempt=None, next=end)
            for row, end in zip(rows, ends, strict=True)
            if end is not None
        ]
        assert await engine.queue.settle(settlements) == []
        assert await engine.state(notification.id) == state

    async def test_one_that_cannot_be_written_holds_no_other_up(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        good, bad, other = [await queue_rows.put() for _ in range(3)]
        await queue_rows.claim()
        settlements = [
            Settlement(delivery=id_, attempt=queue_rows.attempt(id_), next=Done(""))
            for id_ in (good, bad, other)
        ]
        settlements[1] = replace(
            settlements[1], attempt=replace(queue_rows.attempt(bad), status=10**26)
        )
        with pytest.raises(Exception, match=r".+"):
            await engine.queue.settle(settlements)
        states = [(await engine.delivery(id_)).state for id_ in (good, bad, other)]
        assert states == ["delivered", "sending", "delivered"]

    async def test_many_settled_at_once_are_all_written(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put() for _ in range(60)]
        assert len(await queue_rows.claim()) == 60
        held = await asyncio.gather(*(settle(queue_rows, each, Done("x")) for each in ids))
        assert all(held)
        await engine.crash()
        assert {(await engine.delivery(each)).state for each in ids} == {"delivered"}
