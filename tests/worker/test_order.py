"""Laws of sending, whatever recipients, channels, faults and slots there are."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from tests.worker.laws import PLANS, Planned, act
from tests.worker.stage import Collapsing, Scripted, Stage
from tests.worker.virtual import play


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # a plan is many draws
)
@given(plans=PLANS, slots=st.integers(1, 6), kind=st.sampled_from([Scripted, Collapsing]))
def test_slots_lanes_and_order_are_kept_and_everything_ends(
    plans: list[Planned], slots: int, kind: type[Scripted]
) -> None:
    play(act(plans, slots, kind))


def test_hanging_chats_never_keep_a_call_waiting() -> None:
    async def scene() -> None:
        stage = Stage()

        async def chats_hang(message: Message) -> Outcome:
            if message.kind != "call":
                await asyncio.sleep(1000)
            return Delivered()

        channel = stage.open(chats_hang, concurrency=8)
        await stage.run(1)
        for number in range(100):
            stage.plan(f"chat {number}", handed=number % 2 == 0)
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(5)
        call = stage.plan("callee", urgent=True)
        await asyncio.sleep(0.1)

        assert stage.state(call)[0] == "delivered"
        assert channel.most_ordinary == 6
        await stage.worker.stop(0)
        await run

    play(scene())


def test_one_channel_that_hangs_does_not_slow_another_one_down() -> None:
    async def scene() -> None:
        stage = Stage()

        async def hang(message: Message) -> Outcome:
            await asyncio.sleep(1000)
            return Delivered()

        stage.open(hang, name="bad")
        good = stage.open(name="good")
        for number in range(3000):
            stage.plan(f"a{number}", channel="bad")
        await stage.run(2)
        begun = [stage.plan(f"a{number}", channel="good") for number in range(200)]
        await stage.run(3)

        assert len(good.sent) == 200
        assert all(stage.state(name)[0] == "delivered" for name in begun)

    play(scene())


def test_a_chat_does_not_wait_half_a_second_for_the_one_before_it() -> None:
    async def scene() -> None:
        stage = Stage()

        async def quick(message: Message) -> Outcome:
            await asyncio.sleep(0.02)
            return Delivered()

        channel = stage.open(quick)
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        burst = [stage.plan("same", handed=True) for _ in range(10)]
        await asyncio.sleep(0.5)

        assert channel.order == burst
        await stage.worker.stop(0)
        await run

    play(scene())


def test_a_rate_is_kept_and_calls_go_first() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(rate="5/s")
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        for number in range(30):
            stage.plan(f"a{number}", handed=True)
        await asyncio.sleep(1)
        stage.plan("callee", urgent=True, handed=True)
        await asyncio.sleep(9)

        began = sorted(sent.began for sent in channel.sent)
        assert len(began) == 31
        assert all(later - first >= 0.999 for first, later in zip(began, began[5:], strict=False))
        assert began[-1] - began[0] <= 6.5
        assert [sent.message.kind for sent in channel.sent].index("call") <= 7
        await stage.worker.stop(0)
        await run

    play(scene())
