"""What every queue keeps to: claims, leases and lanes."""

from router.core.model.retry import Again, Done
from router.queue.ports import Capacity, Settlement
from tests.queue.rows import HOUR, Engine, QueueRows


class QueueConformance:
    """Subclass it with a fixture `engine`."""

    async def test_what_is_due_is_claimed_once(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put() for _ in range(3)]
        leases = await queue_rows.claim()
        assert [lease.delivery for lease in leases] == ids
        assert {lease.channel for lease in leases} == {"app"}
        assert {lease.until for lease in leases} == {queue_rows.now + 30}
        assert await queue_rows.claimed() == []

    async def test_what_is_due_later_is_not_claimed_early(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        later = await queue_rows.put(due_at=queue_rows.now + 60)
        queue_rows.now += 59.999
        assert await queue_rows.claimed() == []
        queue_rows.now += 0.001
        assert await queue_rows.claimed() == [later]

    async def test_a_limit_takes_the_first(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put(channel=channel) for channel in "abab"]
        assert await queue_rows.claimed(3) == ids[:3]
        assert await queue_rows.claimed(3) == ids[3:]

    async def test_urgent_ones_go_first_then_the_order_is_that_of_acceptance(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put(urgent=urgent) for urgent in (False, True, False, True)]
        assert await queue_rows.claimed() == [ids[1], ids[3], ids[0], ids[2]]

    async def test_a_lane_gives_one_at_a_time_in_order(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put(address="bob") for _ in range(4)]
        for expected in ids:
            assert await queue_rows.claimed() == [expected]
            assert await queue_rows.claimed() == []
            await self.deliver(queue_rows, expected)
        assert await queue_rows.claimed() == []

    async def test_a_long_line_to_one_address_holds_nobody_up(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        bobs = [await queue_rows.put(address="bob") for _ in range(30)]
        ann = await queue_rows.put(address="ann")
        assert await queue_rows.claimed(2) == [bobs[0], ann]
        await self.deliver(queue_rows, bobs[0])
        assert await queue_rows.claimed(2) == [bobs[1]]

    async def test_an_urgent_one_goes_before_the_line_to_its_address(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first, second = [await queue_rows.put(address="bob") for _ in range(2)]
        assert await queue_rows.claimed() == [first]
        urgent = await queue_rows.put(address="bob", urgent=True)
        assert await queue_rows.claimed() == []
        await self.deliver(queue_rows, first)
        assert await queue_rows.claimed() == [urgent]
        await self.deliver(queue_rows, urgent)
        assert await queue_rows.claimed() == [second]

    async def test_a_fixed_destination_has_a_lane_for_each_recipient(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put(address="", lane=lane) for lane in ("ann", "bob", "bob")]
        assert await queue_rows.claimed() == ids[:2]

    async def test_a_retry_is_overtaken_by_the_next_to_its_address(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first, second = [await queue_rows.put(address="bob") for _ in range(2)]
        assert await queue_rows.claimed() == [first]
        again = Settlement(
            delivery=first, attempt=queue_rows.attempt(first), next=Again(queue_rows.now + 10)
        )
        await engine.queue.settle([again])
        assert await queue_rows.claimed() == [second]

    async def test_one_that_follows_another_waits_until_that_has_ended(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        message = await queue_rows.put(address="bob", about="message 7")
        edit = await queue_rows.put(address="bob", about="message 7", follows=True)
        other = await queue_rows.put(address="bob", about="message 8", follows=True)
        assert await queue_rows.claimed() == [message]
        at = queue_rows.now + 10
        again = Settlement(delivery=message, attempt=queue_rows.attempt(message), next=Again(at))
        await engine.queue.settle([again])
        assert [*await queue_rows.claimed(), *await queue_rows.claimed()] == [other]
        await self.deliver(queue_rows, other)
        assert await queue_rows.claimed() == []
        queue_rows.now = at
        assert await queue_rows.claimed() == [message]
        assert await queue_rows.claimed() == []
        await self.deliver(queue_rows, message)
        assert await queue_rows.claimed() == [edit]

    async def test_one_that_follows_nothing_open_goes_at_once(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        elsewhere = await queue_rows.put(address="ann", about="message 7")
        edit = await queue_rows.put(address="bob", about="message 7", follows=True)
        assert await queue_rows.claimed() == [elsewhere, edit]

    async def test_room_bounds_each_channel_and_leaves_the_others_alone(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        ids = {c: [await queue_rows.put(channel=c) for _ in range(3)] for c in ("a", "b", "c")}
        room = {"a": Capacity(slots=2, non_urgent=2), "b": Capacity(slots=9, non_urgent=9)}
        assert sorted(await queue_rows.claimed(room=room)) == sorted(ids["a"][:2] + ids["b"])

    async def test_room_keeps_slots_for_urgent_ones(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ordinary = [await queue_rows.put() for _ in range(3)]
        room = {"app": Capacity(slots=2, non_urgent=1)}
        assert await queue_rows.claimed(room=room) == ordinary[:1]
        urgent = [await queue_rows.put(urgent=True) for _ in range(3)]
        assert await queue_rows.claimed(room=room) == urgent[:2]
        assert await queue_rows.claimed(room={"app": Capacity(slots=2, non_urgent=0)}) == urgent[2:]

    async def test_a_probe_is_urgent_only_if_nothing_else_can_be_sent(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        bob = await queue_rows.put(address="bob")
        assert await queue_rows.claimed() == [bob]
        calls = [await queue_rows.put(urgent=True) for _ in range(2)]
        behind, ann = await queue_rows.put(address="bob"), await queue_rows.put(address="ann")
        room = {"app": Capacity(slots=1, non_urgent=1, probes=True)}
        assert await queue_rows.claimed(room=room) == [ann]
        assert await queue_rows.claimed(room=room) == calls[:1]
        await self.deliver(queue_rows, bob)
        assert await queue_rows.claimed(room=room) == [behind]
        assert await queue_rows.claimed(room=room) == calls[1:]

    async def test_a_lost_lease_is_handed_out_again_and_counted(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim(lease=30)
        queue_rows.now += 29
        assert await queue_rows.claimed() == []
        queue_rows.now += 1
        assert await queue_rows.claimed() == [delivery]
        assert (await engine.delivery(delivery)).handouts == 2

    async def test_leases_survive_a_crash(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim(lease=30)
        await engine.crash()
        assert await queue_rows.claimed() == []
        queue_rows.now += 30
        assert await queue_rows.claimed() == [delivery]

    async def test_three_handouts_without_an_answer_are_a_crash_loop(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        for _ in range(3):
            assert await queue_rows.claimed() == [delivery]
            queue_rows.now += 30
        assert await queue_rows.claimed() == []
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.reason) == ("dead", "crash_loop")
        assert await engine.state(ended.notification) == "undelivered"

    async def test_what_is_in_hand_with_a_delivery_that_ends_the_process_is_not_taken_for_it(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        deadly, *innocent = [await queue_rows.put(address=name) for name in ("a", "b", "c", "d")]
        for _ in range(2):
            assert await queue_rows.claimed() == [deadly, *innocent]
            queue_rows.now += 30
        assert await queue_rows.claimed() == [deadly]
        assert await queue_rows.claimed() == [], "it goes when no other such one is out"
        queue_rows.now += 30
        for each in innocent:
            assert await queue_rows.claimed() == [each]
            done = Settlement(delivery=each, attempt=queue_rows.attempt(each), next=Done())
            assert await engine.queue.settle([done]) == []
        assert (await engine.delivery(deadly)).reason == "crash_loop"

    async def test_an_answer_clears_the_count_of_handouts(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        for _ in range(5):
            assert await queue_rows.claimed() == [delivery]
            queue_rows.now += 30
            assert await queue_rows.claimed() == [delivery]
            again = Settlement(
                delivery=delivery, attempt=queue_rows.attempt(delivery), next=Again(queue_rows.now)
            )
            assert await engine.queue.settle([again]) == []

    async def test_what_lost_its_lease_gives_its_lane_free(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first, second = [await queue_rows.put(address="bob") for _ in range(2)]
        await queue_rows.claim()
        for _ in range(2):
            queue_rows.now += 30
            assert await queue_rows.claimed() == [first]
        queue_rows.now += 30
        assert await queue_rows.claimed() == [second]

    async def test_what_expires_while_it_waits_is_a_dead_letter(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put(expires_at=queue_rows.now + 45)
        other = await queue_rows.put(expires_at=queue_rows.now + 46)
        queue_rows.now += 45
        assert await queue_rows.claimed() == [other]
        ended = await engine.delivery(delivery)
        assert (ended.state, ended.attempts) == ("expired", 0)
        assert await engine.state(ended.notification) == "undelivered"

    async def test_what_expires_in_a_held_channel_ends_too(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put(expires_at=queue_rows.now + 45)
        await engine.queue.pause("app", cause="paused", until=queue_rows.now + HOUR)
        queue_rows.now += 45
        assert await queue_rows.claimed() == []
        assert (await engine.delivery(delivery)).state == "expired"

    async def test_what_is_being_sent_does_not_expire(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put(expires_at=queue_rows.now + 10)
        await queue_rows.claim(lease=30)
        queue_rows.now += 20
        assert await queue_rows.claimed() == []
        assert (await engine.delivery(delivery)).state == "sending"

    async def test_extended_leases_last(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        kept, left = [await queue_rows.put() for _ in range(2)]
        await queue_rows.claim(lease=30)
        await engine.queue.extend([kept, "unknown"], until=queue_rows.now + 60)
        queue_rows.now += 30
        assert await queue_rows.claimed() == [left]
        assert (await engine.delivery(kept)).lease_until == queue_rows.now + 30

    async def test_what_ended_is_not_extended(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        await self.deliver(queue_rows, delivery)
        await engine.queue.extend([delivery], until=queue_rows.now + 60)
        assert (await engine.delivery(delivery)).state == "delivered"

    async def test_released_ones_are_due_at_once_and_the_handout_does_not_count(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        delivery, other = [await queue_rows.put() for _ in range(2)]
        for _ in range(5):
            assert await queue_rows.claimed(1) == [delivery]
            await engine.queue.release([delivery])
        assert (await engine.delivery(delivery)).handouts == 0
        assert await queue_rows.claimed() == [delivery, other]

    async def test_what_ended_is_not_released(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put()
        await queue_rows.claim()
        await self.deliver(queue_rows, delivery)
        await engine.queue.release([delivery, "unknown"])
        assert await queue_rows.claimed() == []

    async def test_stats_count_what_is_due_waiting_and_being_sent(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        for _ in range(2):
            await queue_rows.put(channel="a")
        await queue_rows.claim()
        for _ in range(3):
            await queue_rows.put(channel="a", address="bob", due_at=queue_rows.now - 5)
        await queue_rows.claim(1)
        await queue_rows.claim(1)
        await queue_rows.put(channel="a", due_at=queue_rows.now + 60)
        await queue_rows.put(channel="b", due_at=queue_rows.now + 60)
        stats = await engine.queue.stats(now=queue_rows.now)
        assert set(stats) == {"a", "b"}
        assert (stats["a"].due, stats["a"].waiting, stats["a"].sending) == (2, 1, 3)
        assert stats["a"].oldest_due_at == queue_rows.now - 5
        assert (stats["b"].due, stats["b"].waiting, stats["b"].sending) == (0, 1, 0)
        assert stats["b"].oldest_due_at is None

    async def deliver(self, queue_rows: QueueRows, delivery: str) -> None:
        done = Settlement(delivery=delivery, attempt=queue_rows.attempt(delivery), next=Done("x"))
        assert await queue_rows.engine.queue.settle([done]) == []
