"""What another worker finds after a crash."""

import asyncio

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from tests.worker.stage import Stage
from tests.worker.virtual import play


def test_what_was_in_flight_at_a_crash_is_sent_again_when_its_lease_is_over() -> None:
    async def scene() -> None:
        stage = Stage()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(10)
            return Delivered()

        channel = stage.open(slow, concurrency=2)
        deliveries = [stage.plan(f"a{number}") for number in range(6)]
        await stage.crash(5)
        in_flight = {sent.delivery for sent in channel.sent}
        assert len(in_flight) == 1

        await stage.run(200)
        assert {stage.state(name)[0] for name in deliveries} == {"delivered"}
        twice = [name for name in deliveries if channel.order.count(name) == 2]
        assert twice == list(in_flight)

    play(scene())


def test_a_delivery_that_crashes_the_process_three_times_is_dead() -> None:
    async def scene() -> None:
        stage = Stage()

        async def hang(message: Message) -> Outcome:
            await asyncio.sleep(1000)
            return Delivered()

        channel = stage.open(hang, limit=300)
        poison = stage.plan()
        for _ in range(3):
            await stage.crash(40)
        channel.sent.clear()
        await stage.run(40)

        assert stage.state(poison) == ("dead", "crash_loop")
        assert channel.sent == []

    play(scene())
