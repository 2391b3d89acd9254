"""What is due later goes when it is due, and by its own time, not by when it was planned."""

import asyncio

import pytest

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from router.worker.worker import POLL_INTERVAL_S
from tests.worker.harness import Harness
from tests.worker.virtual_time import now, run_in_virtual_time


@pytest.mark.parametrize("wait", [1.0, 10.0, 9 * 3600.0])
def test_a_delivery_goes_at_its_time_and_at_most_one_look_later(wait: float) -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        due = now() + wait
        later = harness.plan("a", due_in=wait, expires_in=wait + 45)
        at_once = harness.plan("a")
        await harness.run(wait + 2)
        assert channel.order == [at_once, later], "what waits for its time stops nobody"
        assert due <= channel.sent[-1].began < due + POLL_INTERVAL_S + 0.01

    run_in_virtual_time(scenario())


def test_a_delivery_that_is_due_later_outlives_a_restart() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        due = now() + 600
        later = harness.plan(due_in=600)
        await harness.crash(300)
        assert channel.sent == []
        await asyncio.sleep(100)
        await harness.run(250)
        assert channel.order == [later]
        assert due <= channel.sent[0].began < due + POLL_INTERVAL_S + 0.01

    run_in_virtual_time(scenario())


def test_a_delivery_whose_time_passed_while_nothing_ran_goes_at_the_start_or_has_expired() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        late = harness.plan(due_in=600, expires_in=3600)
        over = harness.plan(due_in=600, expires_in=645)
        await harness.crash(300)
        await asyncio.sleep(1000)
        began = now()
        await harness.run(1)
        assert channel.order == [late]
        assert channel.sent[0].began - began < 0.01
        assert harness.state(over) == ("expired", "expired before it was sent")

    run_in_virtual_time(scenario())


def test_what_piled_up_for_one_address_goes_out_without_a_look_between_any_two() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def take_a_moment(message: Message) -> Outcome:
            await asyncio.sleep(0.1)
            return Delivered()

        channel = harness.open(take_a_moment)
        piled = [harness.plan("a") for _ in range(100)]
        await asyncio.sleep(10)
        await harness.run(100 * 0.1 + 2 * POLL_INTERVAL_S)
        assert channel.order == piled

    run_in_virtual_time(scenario())
