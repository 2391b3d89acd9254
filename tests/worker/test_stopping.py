"""A graceful stop finishes what it can and hands the rest back."""

import asyncio

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from tests.worker.stage import Script, Stage
from tests.worker.virtual import now, play


def taking(seconds: float) -> Script:
    async def script(message: Message) -> Outcome:
        await asyncio.sleep(seconds)
        return Delivered()

    return script


def test_running_sends_finish_and_the_rest_is_handed_back_unsent() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(taking(5), concurrency=3)
        deliveries = [stage.plan(f"a{number}") for number in range(10)]
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        asked = now()
        await stage.worker.stop(20)

        assert now() - asked < 5
        assert run.done()
        states = [stage.state(name)[0] for name in deliveries]
        assert states.count("delivered") == len(channel.sent) == 2
        assert states.count("waiting") == 8
        assert {row.handouts for row in stage.queue.deliveries.values()} <= {0, 1}
        assert not stage.worker.room("ops")
        await run

    play(scene())


def test_a_send_that_does_not_finish_in_time_is_cut_off_and_sent_after_the_restart() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(taking(1000), limit=300)
        delivery = stage.plan()
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        asked = now()
        await stage.worker.stop(10)
        await run

        assert 10 <= now() - asked < 11
        assert stage.state(delivery)[0] == "waiting"
        channel.script = taking(1)
        stage.worker = stage.new_worker()
        await stage.run(3)
        assert stage.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 2

    play(scene())


def test_a_send_that_ignores_its_end_does_not_keep_the_process() -> None:
    async def scene() -> None:
        stage = Stage()

        async def stubborn(message: Message) -> Outcome:
            for _ in range(3):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    continue
            return Delivered()

        stage.open(stubborn)
        stage.plan()
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        asked = now()
        await stage.worker.stop(5)
        await run

        assert now() - asked <= 7

    play(scene())


def test_a_stop_while_the_database_is_away_ends_all_the_same() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open(taking(1))
        for number in range(5):
            stage.plan(f"a{number}")
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(0.5)
        stage.queue.down = True
        asked = now()
        await stage.worker.stop(10)
        await run

        assert now() - asked <= 10
        assert stage.queue.released == []

    play(scene())


def test_a_worker_that_never_ran_stops_at_once() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open()
        await stage.worker.stop(10)

    play(scene())
