"""What is due later goes when it is due, and by its own time, not by when it was planned."""

import asyncio

import pytest

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from router.worker.worker import POLL_INTERVAL_S
from tests.worker.stage import Stage
from tests.worker.virtual import now, play


@pytest.mark.parametrize("wait", [1.0, 10.0, 9 * 3600.0])
def test_a_delivery_goes_at_its_time_and_at_most_one_look_later(wait: float) -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        due = now() + wait
        later = stage.plan("a", due_in=wait, expires_in=wait + 45)
        at_once = stage.plan("a")
        await stage.run(wait + 2)
        assert channel.order == [at_once, later], "what waits for its time stops nobody"
        assert due <= channel.sent[-1].began < due + POLL_INTERVAL_S + 0.01

    play(scene())


def test_a_delivery_that_is_due_later_outlives_a_restart() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        due = now() + 600
        later = stage.plan(due_in=600)
        await stage.crash(300)
        assert channel.sent == []
        await asyncio.sleep(100)
        await stage.run(250)
        assert channel.order == [later]
        assert due <= channel.sent[0].began < due + POLL_INTERVAL_S + 0.01

    play(scene())


def test_a_delivery_whose_time_passed_while_nothing_ran_goes_at_the_start_or_has_expired() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        late = stage.plan(due_in=600, expires_in=3600)
        over = stage.plan(due_in=600, expires_in=645)
        await stage.crash(300)
        await asyncio.sleep(1000)
        began = now()
        await stage.run(1)
        assert channel.order == [late]
        assert channel.sent[0].began - began < 0.01
        assert stage.state(over) == ("expired", "expired before it was sent")

    play(scene())


def test_what_piled_up_for_one_address_goes_out_without_a_look_between_any_two() -> None:
    async def scene() -> None:
        stage = Stage()

        async def take_a_moment(message: Message) -> Outcome:
            await asyncio.sleep(0.1)
            return Delivered()

        channel = stage.open(take_a_moment)
        piled = [stage.plan("a") for _ in range(100)]
        await asyncio.sleep(10)
        await stage.run(100 * 0.1 + 2 * POLL_INTERVAL_S)
        assert channel.order == piled

    play(scene())
