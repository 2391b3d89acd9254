"""A graceful stop finishes what it can and hands the rest back."""

import asyncio

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from tests.worker.harness import Harness, Script
from tests.worker.virtual_time import now, run_in_virtual_time


def taking(seconds: float) -> Script:
    async def script(message: Message) -> Outcome:
        await asyncio.sleep(seconds)
        return Delivered()

    return script


def test_running_sends_finish_and_the_rest_is_handed_back_unsent() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(taking(5), concurrency=3)
        deliveries = [harness.plan(f"a{number}") for number in range(10)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        asked = now()
        await harness.worker.stop(20)

        assert now() - asked < 5
        assert run.done()
        states = [harness.state(name)[0] for name in deliveries]
        assert states.count("delivered") == len(channel.sent) == 2
        assert states.count("waiting") == 8
        assert {row.handouts for row in harness.queue.deliveries.values()} <= {0, 1}
        assert not harness.worker.room("ops")
        await run

    run_in_virtual_time(scenario())


def test_a_send_that_does_not_finish_in_time_is_cut_off_and_sent_after_the_restart() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(taking(1000), limit=300)
        delivery = harness.plan()
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        asked = now()
        await harness.worker.stop(10)
        await run

        assert 10 <= now() - asked < 11
        assert harness.state(delivery)[0] == "waiting"
        channel.script = taking(1)
        harness.worker = harness.new_worker()
        await harness.run(3)
        assert harness.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 2

    run_in_virtual_time(scenario())


def test_a_send_that_ignores_its_end_does_not_keep_the_process() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def stubborn(message: Message) -> Outcome:
            for _ in range(3):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    continue
            return Delivered()

        harness.open(stubborn)
        harness.plan()
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        asked = now()
        await harness.worker.stop(5)
        await run

        assert now() - asked <= 7

    run_in_virtual_time(scenario())


def test_a_stop_while_the_database_is_away_ends_all_the_same() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open(taking(1))
        for number in range(5):
            harness.plan(f"a{number}")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(0.5)
        harness.queue.down = True
        asked = now()
        await harness.worker.stop(10)
        await run

        assert now() - asked <= 10
        assert harness.queue.released == []

    run_in_virtual_time(scenario())


def test_a_worker_that_never_ran_stops_at_once() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open()
        await harness.worker.stop(10)

    run_in_virtual_time(scenario())
