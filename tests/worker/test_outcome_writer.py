"""Outcomes are written once, in batches, whatever the database does."""

import asyncio
from collections.abc import Sequence

from structlog.testing import capture_logs

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from router.queue.ports import Settlement
from tests.worker.harness import Harness
from tests.worker.memory_queue import MemoryQueue
from tests.worker.virtual_time import run_in_virtual_time


class SlowQueue(MemoryQueue):
    """Takes a while to write."""

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        await asyncio.sleep(0.01)
        return await super().settle(settlements)


def test_outcomes_that_gather_while_one_write_runs_are_written_together() -> None:
    async def scenario() -> None:
        harness = Harness(queue=SlowQueue())
        channel = harness.open(concurrency=200)
        for number in range(200):
            harness.plan(f"a{number}")
        await harness.run(1)

        assert len(channel.sent) == 200
        assert sum(harness.queue.batches) == 200
        assert len(harness.queue.batches) <= 4

    run_in_virtual_time(scenario())


def test_a_lone_outcome_is_written_at_once() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open()
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        delivery = harness.plan(handed=True)
        await asyncio.sleep(0.001)

        assert harness.state(delivery)[0] == "delivered"
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_nothing_is_sent_twice_while_the_database_is_away_for_minutes() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def during_the_outage(message: Message) -> Outcome:
            harness.queue.down = True
            await asyncio.sleep(1)
            return Delivered()

        channel = harness.open(during_the_outage)
        deliveries = [harness.plan(f"a{number}") for number in range(20)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(300)
        assert len(channel.sent) == 20
        assert {harness.state(delivery)[0] for delivery in deliveries} == {"sending"}

        harness.queue.down = False
        await asyncio.sleep(60)
        assert len(channel.sent) == 20
        assert {harness.state(delivery)[0] for delivery in deliveries} == {"delivered"}
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_one_outcome_that_cannot_be_written_does_not_hold_the_others_up() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        deliveries = [harness.plan(f"a{number}") for number in range(30)]
        bad = deliveries[:4]
        harness.queue.poisoned = set(bad)
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(5)

        assert {harness.state(name)[0] for name in deliveries if name not in bad} == {"delivered"}
        assert {harness.state(name)[0] for name in bad} == {"sending"}
        late = harness.plan("late", handed=True)
        await asyncio.sleep(10)
        assert harness.state(late)[0] == "delivered"

        harness.queue.poisoned = set()
        await asyncio.sleep(10)
        assert {harness.state(name)[0] for name in bad} == {"delivered"}
        assert len(channel.sent) == 31
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_long_send_keeps_its_lease() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(290)
            return Delivered()

        channel = harness.open(slow, limit=300)
        delivery = harness.plan()
        await harness.run(295)

        assert len(channel.sent) == 1
        assert harness.state(delivery)[0] == "delivered"
        assert harness.queue.deliveries[delivery].handouts == 1

    run_in_virtual_time(scenario())


def test_a_delivery_that_is_claimed_while_it_is_sent_here_is_not_sent_twice() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(100)
            return Delivered()

        channel = harness.open(slow, limit=300)
        harness.queue.rigid = True
        delivery = harness.plan()
        await harness.run(80)
        assert harness.queue.deliveries[delivery].handouts == 3

        harness.queue.rigid = False
        await harness.run(130)
        assert harness.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 1

    run_in_virtual_time(scenario())


def test_an_outcome_whose_lease_was_lost_is_only_told() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def cancelled_meanwhile(message: Message) -> Outcome:
            harness.queue.cancel(message.delivery)
            return Delivered()

        harness.open(cancelled_meanwhile)
        delivery = harness.plan()
        with capture_logs() as lines:
            await harness.run(2)

        assert harness.state(delivery)[0] == "cancelled"
        (line,) = [
            line for line in lines if line["event"] == "lease lost before outcome was written"
        ]
        assert (line["delivery"], line["notification"]) == (delivery, delivery.rpartition("-")[0])

    run_in_virtual_time(scenario())


def test_what_cannot_be_read_is_handed_back_and_the_others_are_sent() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open()
        deliveries = [harness.plan(f"a{number}", expires_in=20) for number in range(10)]
        harness.queue.unreadable = {deliveries[0]}
        await harness.run(5)

        assert {harness.state(name)[0] for name in deliveries[1:]} == {"delivered"}
        assert harness.state(deliveries[0])[0] == "waiting"
        await harness.run(30)
        assert harness.state(deliveries[0])[0] == "expired"

    run_in_virtual_time(scenario())


def test_when_nothing_can_be_read_everything_is_handed_back_and_comes_again() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        deliveries = [harness.plan(f"a{number}") for number in range(10)]
        harness.queue.unreadable = set(deliveries)
        await harness.run(5)
        assert channel.sent == []

        harness.queue.unreadable = set()
        await harness.run(5)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        assert {row.handouts for row in harness.queue.deliveries.values()} == {1}

    run_in_virtual_time(scenario())


def test_what_waits_in_memory_is_not_sent_once_its_lease_is_over() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(rate="6/m")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(0.1)
        deliveries = [harness.plan(f"a{number}", forced=True) for number in range(8)]
        await asyncio.sleep(1)
        harness.queue.down = True
        await asyncio.sleep(120)
        assert len(channel.sent) == 3

        harness.queue.down = False
        await asyncio.sleep(120)
        assert channel.order == deliveries
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_fault_of_our_own_is_told_and_the_delivery_comes_again() -> None:
    async def scenario() -> None:
        faults = [ZeroDivisionError()]

        def loaded_dice() -> float:
            if faults:
                raise faults.pop()
            return 0.5

        harness = Harness(dice=loaded_dice)
        channel = harness.open()
        delivery = harness.plan()
        with capture_logs() as lines:
            await harness.run(40)

        assert harness.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 2
        assert "outcome processing failed" in [line["event"] for line in lines]

    run_in_virtual_time(scenario())


def test_the_worker_survives_a_queue_that_fails_at_every_step() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        delivery = harness.plan()
        harness.queue.down = True
        with capture_logs() as lines:
            run = asyncio.create_task(harness.worker.run())
            await asyncio.sleep(20)
            assert not run.done()
            harness.queue.down = False
            await asyncio.sleep(10)

        assert harness.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 1
        events = [line["event"] for line in lines]
        failed = events.count("queue operation failed, retrying")
        assert failed == events.count("queue operation recovered") <= 5
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())
