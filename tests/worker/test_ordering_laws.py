"""Laws of sending, whatever recipients, channels, faults and slots there are."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from tests.worker.harness import Collapsing, Harness, Scripted
from tests.worker.sending_laws import PLANS, Planned, act
from tests.worker.virtual_time import run_in_virtual_time


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # a plan is many draws
)
@given(plans=PLANS, slots=st.integers(1, 6), kind=st.sampled_from([Scripted, Collapsing]))
def test_slots_lanes_and_order_are_kept_and_everything_ends(
    plans: list[Planned], slots: int, kind: type[Scripted]
) -> None:
    run_in_virtual_time(act(plans, slots, kind))


def test_hanging_chats_never_keep_a_call_waiting() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def chats_hang(message: Message) -> Outcome:
            if message.kind != "call":
                await asyncio.sleep(1000)
            return Delivered()

        channel = harness.open(chats_hang, concurrency=8)
        await harness.run(1)
        for number in range(100):
            harness.plan(f"chat {number}", handed=number % 2 == 0)
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(5)
        call = harness.plan("callee", urgent=True)
        await asyncio.sleep(0.1)

        assert harness.state(call)[0] == "delivered"
        assert channel.most_ordinary == 6
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_one_channel_that_hangs_does_not_slow_another_one_down() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def hang(message: Message) -> Outcome:
            await asyncio.sleep(1000)
            return Delivered()

        harness.open(hang, name="bad")
        good = harness.open(name="good")
        for number in range(3000):
            harness.plan(f"a{number}", channel="bad")
        await harness.run(2)
        begun = [harness.plan(f"a{number}", channel="good") for number in range(200)]
        await harness.run(3)

        assert len(good.sent) == 200
        assert all(harness.state(name)[0] == "delivered" for name in begun)

    run_in_virtual_time(scenario())


def test_a_chat_does_not_wait_half_a_second_for_the_one_before_it() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def quick(message: Message) -> Outcome:
            await asyncio.sleep(0.02)
            return Delivered()

        channel = harness.open(quick)
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        burst = [harness.plan("same", handed=True) for _ in range(10)]
        await asyncio.sleep(0.5)

        assert channel.order == burst
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_rate_is_kept_and_calls_go_first() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(rate="5/s")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        for number in range(30):
            harness.plan(f"a{number}", handed=True)
        await asyncio.sleep(1)
        harness.plan("callee", urgent=True, handed=True)
        await asyncio.sleep(9)

        began = sorted(sent.began for sent in channel.sent)
        assert len(began) == 31
        assert all(later - first >= 0.999 for first, later in zip(began, began[5:], strict=False))
        assert began[-1] - began[0] <= 6.5
        assert [sent.message.kind for sent in channel.sent].index("call") <= 7
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())
