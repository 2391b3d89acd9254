"""What every queue keeps to: claims, leases and lanes."""

from router.core.model.retry import Again, Done
from router.queue.ports import Capacity, Settlement
from tests.queue.scene import HOUR, Engine, Scene


class QueueConformance:
    """Subclass it with a fixture `engine`."""

    async def test_what_is_due_is_claimed_once(self, engine: Engine) -> None:
        scene = Scene(engine)
        ids = [await scene.put() for _ in range(3)]
        leases = await scene.claim()
        assert [lease.delivery for lease in leases] == ids
        assert {lease.channel for lease in leases} == {"app"}
        assert {lease.until for lease in leases} == {scene.now + 30}
        assert await scene.claimed() == []

    async def test_what_is_due_later_is_not_claimed_early(self, engine: Engine) -> None:
        scene = Scene(engine)
        later = await scene.put(due_at=scene.now + 60)
        scene.now += 59.999
        assert await scene.claimed() == []
        scene.now += 0.001
        assert await scene.claimed() == [later]

    async def test_a_limit_takes_the_first(self, engine: Engine) -> None:
        scene = Scene(engine)
        ids = [await scene.put(channel=channel) for channel in "abab"]
        assert await scene.claimed(3) == ids[:3]
        assert await scene.claimed(3) == ids[3:]

    async def test_urgent_ones_go_first_then_the_order_is_that_of_acceptance(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        ids = [await scene.put(urgent=urgent) for urgent in (False, True, False, True)]
        assert await scene.claimed() == [ids[1], ids[3], ids[0], ids[2]]

    async def test_a_lane_gives_one_at_a_time_in_order(self, engine: Engine) -> None:
        scene = Scene(engine)
        ids = [await scene.put(address="bob") for _ in range(4)]
        for expected in ids:
            assert await scene.claimed() == [expected]
            assert await scene.claimed() == []
            await self.deliver(scene, expected)
        assert await scene.claimed() == []

    async def test_a_long_line_to_one_address_holds_nobody_up(self, engine: Engine) -> None:
        scene = Scene(engine)
        bobs = [await scene.put(address="bob") for _ in range(30)]
        ann = await scene.put(address="ann")
        assert await scene.claimed(2) == [bobs[0], ann]
        await self.deliver(scene, bobs[0])
        assert await scene.claimed(2) == [bobs[1]]

    async def test_an_urgent_one_goes_before_the_line_to_its_address(self, engine: Engine) -> None:
        scene = Scene(engine)
        first, second = [await scene.put(address="bob") for _ in range(2)]
        assert await scene.claimed() == [first]
        urgent = await scene.put(address="bob", urgent=True)
        assert await scene.claimed() == []
        await self.deliver(scene, first)
        assert await scene.claimed() == [urgent]
        await self.deliver(scene, urgent)
        assert await scene.claimed() == [second]

    async def test_a_fixed_destination_has_a_lane_for_each_recipient(self, engine: Engine) -> None:
        scene = Scene(engine)
        ids = [await scene.put(address="", lane=lane) for lane in ("ann", "bob", "bob")]
        assert await scene.claimed() == ids[:2]

    async def test_a_retry_is_overtaken_by_the_next_to_its_address(self, engine: Engine) -> None:
        scene = Scene(engine)
        first, second = [await scene.put(address="bob") for _ in range(2)]
        assert await scene.claimed() == [first]
        again = Settlement(delivery=first, attempt=scene.attempt(first), next=Again(scene.now + 10))
        await engine.queue.settle([again])
        assert await scene.claimed() == [second]

    async def test_one_that_follows_another_waits_until_that_has_ended(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        message = await scene.put(address="bob", about="message 7")
        edit = await scene.put(address="bob", about="message 7", follows=True)
        other = await scene.put(address="bob", about="message 8", follows=True)
        assert await scene.claimed() == [message]
        at = scene.now + 10
        again = Settlement(delivery=message, attempt=scene.attempt(message), next=Again(at))
        await engine.queue.settle([again])
        assert [*await scene.claimed(), *await scene.claimed()] == [other]
        await self.deliver(scene, other)
        assert await scene.claimed() == []
        scene.now = at
        assert await scene.claimed() == [message]
        assert await scene.claimed() == []
        await self.deliver(scene, message)
        assert await scene.claimed() == [edit]

    async def test_one_that_follows_nothing_open_goes_at_once(self, engine: Engine) -> None:
        scene = Scene(engine)
        elsewhere = await scene.put(address="ann", about="message 7")
        edit = await scene.put(address="bob", about="message 7", follows=True)
        assert await scene.claimed() == [elsewhere, edit]

    async def test_room_bounds_each_channel_and_leaves_the_others_alone(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        ids = {c: [await scene.put(channel=c) for _ in range(3)] for c in ("a", "b", "c")}
        room = {"a": Capacity(slots=2, non_urgent=2), "b": Capacity(slots=9, non_urgent=9)}
        assert sorted(await scene.claimed(room=room)) == sorted(ids["a"][:2] + ids["b"])

    async def test_room_keeps_slots_for_urgent_ones(self, engine: Engine) -> None:
        scene = Scene(engine)
        ordinary = [await scene.put() for _ in range(3)]
        room = {"app": Capacity(slots=2, non_urgent=1)}
        assert await scene.claimed(room=room) == ordinary[:1]
        urgent = [await scene.put(urgent=True) for _ in range(3)]
        assert await scene.claimed(room=room) == urgent[:2]
        assert await scene.claimed(room={"app": Capacity(slots=2, non_urgent=0)}) == urgent[2:]

    async def test_a_probe_is_urgent_only_if_nothing_else_can_be_sent(self, engine: Engine) -> None:
        scene = Scene(engine)
        bob = await scene.put(address="bob")
        assert await scene.claimed() == [bob]
        calls = [await scene.put(urgent=True) for _ in range(2)]
        behind, ann = await scene.put(address="bob"), await scene.put(address="ann")
        room = {"app": Capacity(slots=1, non_urgent=1, probes=True)}
        assert await scene.claimed(room=room) == [ann]
        assert await scene.claimed(room=room) == calls[:1]
        await self.deliver(scene, bob)
        assert await scene.claimed(room=room) == [behind]
        assert await scene.claimed(room=room) == calls[1:]

    async def test_a_lost_lease_is_handed_out_again_and_counted(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim(lease=30)
        scene.now += 29
        assert await scene.claimed() == []
        scene.now += 1
        assert await scene.claimed() == [delivery]
        assert (await engine.delivery(delivery)).handouts == 2

    async def test_leases_survive_a_crash(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim(lease=30)
        await engine.crash()
        assert await scene.claimed() == []
        scene.now += 30
        assert await scene.claimed() == [delivery]

    async def test_three_handouts_without_an_answer_are_a_crash_loop(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        for _ in range(3):
            assert await scene.claimed() == [delivery]
            scene.now += 30
        assert await scene.claimed() == []
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.reason) == ("dead", "crash_loop")
        assert await engine.state(ended.notification) == "undelivered"

    async def test_what_is_in_hand_with_a_delivery_that_ends_the_process_is_not_taken_for_it(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        deadly, *innocent = [await scene.put(address=name) for name in ("a", "b", "c", "d")]
        for _ in range(2):
            assert await scene.claimed() == [deadly, *innocent]
            scene.now += 30
        assert await scene.claimed() == [deadly]
        assert await scene.claimed() == [], "it goes when no other such one is out"
        scene.now += 30
        for each in innocent:
            assert await scene.claimed() == [each]
            done = Settlement(delivery=each, attempt=scene.attempt(each), next=Done())
            assert await engine.queue.settle([done]) == []
        assert (await engine.delivery(deadly)).reason == "crash_loop"

    async def test_an_answer_clears_the_count_of_handouts(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        for _ in range(5):
            assert await scene.claimed() == [delivery]
            scene.now += 30
            assert await scene.claimed() == [delivery]
            again = Settlement(
                delivery=delivery, attempt=scene.attempt(delivery), next=Again(scene.now)
            )
            assert await engine.queue.settle([again]) == []

    async def test_what_lost_its_lease_gives_its_lane_free(self, engine: Engine) -> None:
        scene = Scene(engine)
        first, second = [await scene.put(address="bob") for _ in range(2)]
        await scene.claim()
        for _ in range(2):
            scene.now += 30
            assert await scene.claimed() == [first]
        scene.now += 30
        assert await scene.claimed() == [second]

    async def test_what_expires_while_it_waits_is_a_dead_letter(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put(expires_at=scene.now + 45)
        other = await scene.put(expires_at=scene.now + 46)
        scene.now += 45
        assert await scene.claimed() == [other]
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.attempts) == ("expired", 0)
        assert await engine.state(ended.notification) == "undelivered"

    async def test_what_expires_in_a_held_channel_ends_too(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put(expires_at=scene.now + 45)
        await engine.queue.pause("app", cause="paused", until=scene.now + HOUR)
        scene.now += 45
        assert await scene.claimed() == []
        assert (await engine.delivery(delivery)).state == "expired"

    async def test_what_is_being_sent_does_not_expire(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put(expires_at=scene.now + 10)
        await scene.claim(lease=30)
        scene.now += 20
        assert await scene.claimed() == []
        assert (await engine.delivery(delivery)).state == "sending"

    async def test_extended_leases_last(self, engine: Engine) -> None:
        scene = Scene(engine)
        kept, left = [await scene.put() for _ in range(2)]
        await scene.claim(lease=30)
        await engine.queue.extend([kept, "unknown"], until=scene.now + 60)
        scene.now += 30
        assert await scene.claimed() == [left]
        assert (await engine.delivery(kept)).lease_until == scene.now + 30

    async def test_what_ended_is_not_extended(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        await self.deliver(scene, delivery)
        await engine.queue.extend([delivery], until=scene.now + 60)
        assert (await engine.delivery(delivery)).state == "delivered"

    async def test_released_ones_are_due_at_once_and_the_handout_does_not_count(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        delivery, other = [await scene.put() for _ in range(2)]
        for _ in range(5):
            assert await scene.claimed(1) == [delivery]
            await engine.queue.release([delivery])
        assert (await engine.delivery(delivery)).handouts == 0
        assert await scene.claimed() == [delivery, other]

    async def test_what_ended_is_not_released(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put()
        await scene.claim()
        await self.deliver(scene, delivery)
        await engine.queue.release([delivery, "unknown"])
        assert await scene.claimed() == []

    async def test_stats_count_what_is_due_waiting_and_being_sent(self, engine: Engine) -> None:
        scene = Scene(engine)
        for _ in range(2):
            await scene.put(channel="a")
        await scene.claim()
        for _ in range(3):
            await scene.put(channel="a", address="bob", due_at=scene.now - 5)
        await scene.claim(1)
        await scene.claim(1)
        await scene.put(channel="a", due_at=scene.now + 60)
        await scene.put(channel="b", due_at=scene.now + 60)
        stats = await engine.queue.stats(now=scene.now)
        assert set(stats) == {"a", "b"}
        assert (stats["a"].due, stats["a"].waiting, stats["a"].sending) == (2, 1, 3)
        assert stats["a"].oldest_due_at == scene.now - 5
        assert (stats["b"].due, stats["b"].waiting, stats["b"].sending) == (0, 1, 0)
        assert stats["b"].oldest_due_at is None

    async def deliver(self, scene: Scene, delivery: str) -> None:
        done = Settlement(delivery=delivery, attempt=scene.attempt(delivery), next=Done("x"))
        assert await scene.engine.queue.settle([done]) == []
