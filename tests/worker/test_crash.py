"""What another worker finds after a crash."""

import asyncio

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from tests.worker.harness import Harness
from tests.worker.virtual_time import run_in_virtual_time


def test_what_was_in_flight_at_a_crash_is_sent_again_when_its_lease_is_over() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(10)
            return Delivered()

        channel = harness.open(slow, concurrency=2)
        deliveries = [harness.plan(f"a{number}") for number in range(6)]
        await harness.crash(5)
        in_flight = {sent.delivery for sent in channel.sent}
        assert len(in_flight) == 1

        await harness.run(200)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        twice = [name for name in deliveries if channel.order.count(name) == 2]
        assert twice == list(in_flight)

    run_in_virtual_time(scenario())


def test_a_delivery_that_crashes_the_process_three_times_is_dead() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def hang(message: Message) -> Outcome:
            await asyncio.sleep(1000)
            return Delivered()

        channel = harness.open(hang, limit=300)
        poison = harness.plan()
        for _ in range(3):
            await harness.crash(40)
        channel.sent.clear()
        await harness.run(40)

        assert harness.state(poison) == ("dead", "crash_loop")
        assert channel.sent == []

    run_in_virtual_time(scenario())
