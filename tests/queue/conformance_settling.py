"""What every queue keeps to: what became of deliveries."""

import asyncio

import pytest
from msgspec.structs import replace

from router.core.model.retry import Again, Cancelled, Dead, Done, Expired, Hold, NextStep
from router.queue.ports import ChannelHold, Settlement
from tests.queue.scene import HOUR, Engine, Scene


async def settle(scene: Scene, delivery: str, next_: NextStep, *, tried: bool = True) -> bool:
    """Settle one delivery; return whether its lease held."""
    attempt = scene.attempt(delivery) if tried else None
    settlement = Settlement(delivery=delivery, attempt=attempt, next=next_)
    return await scene.engine.queue.settle([settlement]) == []


class SettlingConformance:
    """Subclass it with a fixture `engine`."""

    async def test_a_delivered_one_keeps_its_handle_and_its_attempt(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        assert await settle(scene, delivery, Done("m-1"))
        await engine.crash()
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.handle, ended.attempts) == ("delivered", "m-1", 1)
        assert list(await engine.attempts(delivery)) == [scene.attempt(delivery)]
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
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        assert await settle(scene, delivery, next_, tried=state == "dead")
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.reason) == (state, getattr(next_, "reason"))  # noqa: B009 - each of them has one
        assert ended.attempts == (state == "dead")
        assert await engine.state(ended.notification) == "undelivered"

    async def test_a_retry_waits_until_its_time_and_counts(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        assert await settle(scene, delivery, Again(scene.now + 5))
        await engine.crash()
        scene.now += 4.999
        assert await scene.claimed() == []
        scene.now += 0.001
        assert await scene.claimed() == [delivery]
        again = await engine.delivery(delivery)
        assert (again.attempts, again.handouts) == (1, 1)
        assert await engine.state(again.notification) == "pending"

    async def test_a_hold_after_a_try_holds_the_channel_and_burns_no_attempt(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        delivery, other = await scene.put(), await scene.put()
        await scene.claim(1)
        assert await settle(scene, delivery, Hold(scene.now + 60, "credential"))
        held = await engine.delivery(delivery)
        assert (held.state, held.attempts, held.reason) == ("waiting", 0, "credential")
        assert len(await engine.attempts(delivery)) == 1
        assert await engine.queue.holds(now=scene.now) == [
            ChannelHold(channel="app", cause="suspended", until=scene.now + 60)
        ]
        scene.now += 60
        assert await scene.claimed() == [delivery, other]
        scene.now += 1
        assert await settle(scene, delivery, Done(""))
        assert [a.number for a in await engine.attempts(delivery)] == [1, 1]

    async def test_a_hold_ended_early_lets_the_delivery_go(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        assert await settle(scene, delivery, Hold(scene.now + HOUR, "credential"))
        await engine.queue.resume("app")
        assert await scene.claimed() == [delivery]

    async def test_a_hold_without_a_try_holds_the_lane_alone(self, engine: Engine) -> None:
        scene = Scene(engine)
        first, second = [await scene.put(address="bob") for _ in range(2)]
        other = await scene.put(address="ann")
        await scene.claim(1)
        assert await settle(scene, first, Hold(scene.now + 60, "host_down"), tried=False)
        assert await scene.claimed() == [other]
        await settle(scene, other, Done(""))
        scene.now += 30
        urgent, third = await scene.put(address="bob", urgent=True), await scene.put(address="bob")
        assert await scene.claimed() == []
        held = await engine.delivery(first)
        assert (held.state, held.reason, held.attempts) == ("waiting", "host_down", 0)
        assert held.due_at == scene.now - 30
        scene.now += 30
        for expected in (urgent, first, second, third):
            assert await scene.claimed() == [expected]
            await settle(scene, expected, Done(""))

    async def test_resuming_a_channel_lets_its_lanes_go(self, engine: Engine) -> None:
        scene = Scene(engine)
        ours, theirs = await scene.put(channel="a"), await scene.put(channel="b")
        await scene.claim()
        for delivery in (ours, theirs):
            await settle(scene, delivery, Hold(scene.now + 60, "host_down"), tried=False)
        await engine.queue.resume("a", causes=("suspended", "paused"))
        assert await scene.claimed() == []
        await engine.queue.resume("a")
        assert await scene.claimed() == [ours]

    async def test_a_throttled_try_is_noted_and_does_not_count(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        assert await settle(scene, delivery, Again(scene.now + 5, counts=False))
        waiting = await engine.delivery(delivery)
        assert (waiting.state, waiting.attempts) == ("waiting", 0)
        assert waiting.due_at == scene.now + 5
        assert len(await engine.attempts(delivery)) == 1

    async def test_settling_twice_is_settling_once(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        assert await settle(scene, delivery, Done("first"))
        assert not await settle(scene, delivery, Dead("second"))
        assert not await settle(scene, delivery, Done("third"))
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.handle, ended.attempts) == ("delivered", "first", 1)
        assert len(await engine.attempts(delivery)) == 1

    async def test_the_same_twice_in_one_go_counts_once(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        done = Settlement(delivery=delivery, attempt=scene.attempt(delivery), next=Done("x"))
        assert await engine.queue.settle([done, done]) == [delivery]
        assert (await engine.delivery(delivery)).attempts == 1

    async def test_a_settlement_after_the_lease_was_lost_is_reported(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        await engine.queue.release([delivery])
        assert not await settle(scene, delivery, Dead("late"))
        assert not await settle(scene, "unknown", Done(""))
        assert (await engine.delivery(delivery)).state == "waiting"

    async def test_a_late_success_is_never_thrown_away(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        await engine.queue.release([delivery])
        assert await settle(scene, delivery, Done("late"))
        assert (await engine.delivery(delivery)).state == "delivered"
        assert await scene.claimed() == []

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
        scene = Scene(engine)
        notification = await scene.accept()
        rows = [
            scene.delivery(notification.id, ordinal, address=str(ordinal))
            for ordinal in range(len(ends))
        ]
        kept_back = scene.delivery(notification.id, len(ends), state="suppressed", reason="muted")
        await scene.settle(scene.plan(notification.id, *rows, kept_back))
        await scene.claim()
        settlements = [
            Settlement(delivery=row.id, attempt=None, next=end)
            for row, end in zip(rows, ends, strict=True)
            if end is not None
        ]
        assert await engine.queue.settle(settlements) == []
        assert await engine.state(notification.id) == state

    async def test_one_that_cannot_be_written_holds_no_other_up(self, engine: Engine) -> None:
        scene = Scene(engine)
        good, bad, other = [await scene.put() for _ in range(3)]
        await scene.claim()
        settlements = [
            Settlement(delivery=id_, attempt=scene.attempt(id_), next=Done(""))
            for id_ in (good, bad, other)
        ]
        settlements[1] = replace(settlements[1], attempt=replace(scene.attempt(bad), status=10**26))
        with pytest.raises(Exception, match=r".+"):
            await engine.queue.settle(settlements)
        states = [(await engine.delivery(id_)).state for id_ in (good, bad, other)]
        assert states == ["delivered", "sending", "delivered"]

    async def test_many_settled_at_once_are_all_written(self, engine: Engine) -> None:
        scene = Scene(engine)
        ids = [await scene.put() for _ in range(60)]
        assert len(await scene.claim()) == 60
        held = await asyncio.gather(*(settle(scene, each, Done("x")) for each in ids))
        assert all(held)
        await engine.crash()
        assert {(await engine.delivery(each)).state for each in ids} == {"delivered"}
