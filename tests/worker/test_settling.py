"""Outcomes are written once, in batches, whatever the database does."""

import asyncio
from collections.abc import Sequence

from structlog.testing import capture_logs

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from router.queue.ports import Settlement
from tests.worker.memory_queue import MemoryQueue
from tests.worker.stage import Stage
from tests.worker.virtual import play


class SlowQueue(MemoryQueue):
    """Takes a while to write."""

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        await asyncio.sleep(0.01)
        return await super().settle(settlements)


def test_outcomes_that_gather_while_one_write_runs_are_written_together() -> None:
    async def scene() -> None:
        stage = Stage(queue=SlowQueue())
        channel = stage.open(concurrency=200)
        for number in range(200):
            stage.plan(f"a{number}")
        await stage.run(1)

        assert len(channel.sent) == 200
        assert sum(stage.queue.batches) == 200
        assert len(stage.queue.batches) <= 4

    play(scene())


def test_a_lone_outcome_is_written_at_once() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open()
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        delivery = stage.plan(handed=True)
        await asyncio.sleep(0.001)

        assert stage.state(delivery)[0] == "delivered"
        await stage.worker.stop(0)
        await run

    play(scene())


def test_nothing_is_sent_twice_while_the_database_is_away_for_minutes() -> None:
    async def scene() -> None:
        stage = Stage()

        async def during_the_outage(message: Message) -> Outcome:
            stage.queue.down = True
            await asyncio.sleep(1)
            return Delivered()

        channel = stage.open(during_the_outage)
        deliveries = [stage.plan(f"a{number}") for number in range(20)]
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(300)
        assert len(channel.sent) == 20
        assert {stage.state(delivery)[0] for delivery in deliveries} == {"sending"}

        stage.queue.down = False
        await asyncio.sleep(60)
        assert len(channel.sent) == 20
        assert {stage.state(delivery)[0] for delivery in deliveries} == {"delivered"}
        await stage.worker.stop(0)
        await run

    play(scene())


def test_one_outcome_that_cannot_be_written_does_not_hold_the_others_up() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        deliveries = [stage.plan(f"a{number}") for number in range(30)]
        bad = deliveries[:4]
        stage.queue.poisoned = set(bad)
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(5)

        assert {stage.state(name)[0] for name in deliveries if name not in bad} == {"delivered"}
        assert {stage.state(name)[0] for name in bad} == {"sending"}
        late = stage.plan("late", handed=True)
        await asyncio.sleep(10)
        assert stage.state(late)[0] == "delivered"

        stage.queue.poisoned = set()
        await asyncio.sleep(10)
        assert {stage.state(name)[0] for name in bad} == {"delivered"}
        assert len(channel.sent) == 31
        await stage.worker.stop(0)
        await run

    play(scene())


def test_a_long_send_keeps_its_lease() -> None:
    async def scene() -> None:
        stage = Stage()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(290)
            return Delivered()

        channel = stage.open(slow, limit=300)
        delivery = stage.plan()
        await stage.run(295)

        assert len(channel.sent) == 1
        assert stage.state(delivery)[0] == "delivered"
        assert stage.queue.deliveries[delivery].handouts == 1

    play(scene())


def test_a_delivery_that_is_claimed_while_it_is_sent_here_is_not_sent_twice() -> None:
    async def scene() -> None:
        stage = Stage()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(100)
            return Delivered()

        channel = stage.open(slow, limit=300)
        stage.queue.rigid = True
        delivery = stage.plan()
        await stage.run(80)
        assert stage.queue.deliveries[delivery].handouts == 3

        stage.queue.rigid = False
        await stage.run(130)
        assert stage.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 1

    play(scene())


def test_an_outcome_whose_lease_was_lost_is_only_told() -> None:
    async def scene() -> None:
        stage = Stage()

        async def cancelled_meanwhile(message: Message) -> Outcome:
            stage.queue.cancel(message.delivery)
            return Delivered()

        stage.open(cancelled_meanwhile)
        delivery = stage.plan()
        with capture_logs() as lines:
            await stage.run(2)

        assert stage.state(delivery)[0] == "cancelled"
        (line,) = [
            line for line in lines if line["event"] == "lease lost before outcome was written"
        ]
        assert (line["delivery"], line["notification"]) == (delivery, delivery.rpartition("-")[0])

    play(scene())


def test_what_cannot_be_read_is_handed_back_and_the_others_are_sent() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open()
        deliveries = [stage.plan(f"a{number}", expires_in=20) for number in range(10)]
        stage.queue.unreadable = {deliveries[0]}
        await stage.run(5)

        assert {stage.state(name)[0] for name in deliveries[1:]} == {"delivered"}
        assert stage.state(deliveries[0])[0] == "waiting"
        await stage.run(30)
        assert stage.state(deliveries[0])[0] == "expired"

    play(scene())


def test_when_nothing_can_be_read_everything_is_handed_back_and_comes_again() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        deliveries = [stage.plan(f"a{number}") for number in range(10)]
        stage.queue.unreadable = set(deliveries)
        await stage.run(5)
        assert channel.sent == []

        stage.queue.unreadable = set()
        await stage.run(5)
        assert {stage.state(name)[0] for name in deliveries} == {"delivered"}
        assert {row.handouts for row in stage.queue.deliveries.values()} == {1}

    play(scene())


def test_what_waits_in_memory_is_not_sent_once_its_lease_is_over() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(rate="6/m")
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(0.1)
        deliveries = [stage.plan(f"a{number}", forced=True) for number in range(8)]
        await asyncio.sleep(1)
        stage.queue.down = True
        await asyncio.sleep(120)
        assert len(channel.sent) == 3

        stage.queue.down = False
        await asyncio.sleep(120)
        assert channel.order == deliveries
        assert {stage.state(name)[0] for name in deliveries} == {"delivered"}
        await stage.worker.stop(0)
        await run

    play(scene())


def test_a_fault_of_our_own_is_told_and_the_delivery_comes_again() -> None:
    async def scene() -> None:
        faults = [ZeroDivisionError()]

        def loaded_dice() -> float:
            if faults:
                raise faults.pop()
            return 0.5

        stage = Stage(dice=loaded_dice)
        channel = stage.open()
        delivery = stage.plan()
        with capture_logs() as lines:
            await stage.run(40)

        assert stage.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 2
        assert "outcome processing failed" in [line["event"] for line in lines]

    play(scene())


def test_the_worker_survives_a_queue_that_fails_at_every_step() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        delivery = stage.plan()
        stage.queue.down = True
        with capture_logs() as lines:
            run = asyncio.create_task(stage.worker.run())
            await asyncio.sleep(20)
            assert not run.done()
            stage.queue.down = False
            await asyncio.sleep(10)

        assert stage.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 1
        events = [line["event"] for line in lines]
        failed = events.count("queue operation failed, retrying")
        assert failed == events.count("queue operation recovered") <= 5
        await stage.worker.stop(0)
        await run

    play(scene())
