"""Laws of sending, whatever recipients, channels, faults and slots there are."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.message import Message
from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.worker.gate import kept_for_urgent
from tests.worker.stage import Collapsing, Scripted, Stage
from tests.worker.virtual import play

ENDS = {"delivered", "dead", "expired", "cancelled"}
HANG, RAISE = "hang", "raise"

TRIES: st.SearchStrategy[Outcome | str] = st.one_of(
    st.just(Delivered()),
    st.builds(Retry, reason=st.just("busy"), after=st.sampled_from([None, 0.0, 20.0])),
    st.builds(Rejected, reason=st.just("no"), forget_contact=st.booleans()),
    st.just(Unknown(reason="no answer")),
    st.builds(Suspend, reason=st.just("key"), after=st.sampled_from([None, 1.0])),
    st.sampled_from([HANG, RAISE]),
)


@dataclass(frozen=True)
class Planned:
    """One message: to whom, how urgent, how it is handed over, when, and how it fares."""

    address: str
    urgent: bool
    handed: bool
    pause: float
    takes: float
    tries: tuple[Outcome | str, ...]


PLANS = st.lists(
    st.builds(
        Planned,
        address=st.sampled_from("abcde"),
        urgent=st.booleans(),
        handed=st.booleans(),
        pause=st.sampled_from([0.0, 0.0, 0.01, 0.3, 5.0]),
        takes=st.sampled_from([0.0, 0.02, 3.0]),
        tries=st.lists(TRIES, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=25,
)


async def act(
    plans: list[Planned], slots: int, kind: type[Scripted]
) -> tuple[Stage, Scripted, list[str]]:
    """Run the plans until all is over; return the ids in the order of acceptance too."""
    stage = Stage(dice=lambda: 0.5)
    plan_of: dict[str, Planned] = {}
    made: dict[str, int] = defaultdict(int)

    async def script(message: Message) -> Outcome:
        plan = plan_of[message.delivery]
        number = made[message.delivery]
        made[message.delivery] += 1
        await asyncio.sleep(plan.takes)
        result = plan.tries[number] if number < len(plan.tries) else Delivered()
        if result == HANG:
            await asyncio.sleep(1000)
        if isinstance(result, str):
            raise ConnectionResetError(result)
        return result

    channel = stage.open(script, kind=kind, concurrency=slots)
    run = asyncio.create_task(stage.worker.run())
    await asyncio.sleep(0.01)
    for plan in plans:
        # the plan is known before the send begins: plan() may start it, not run it
        name = stage.plan(plan.address, urgent=plan.urgent, handed=plan.handed)
        plan_of[name] = plan
        await asyncio.sleep(plan.pause)
    for _ in range(4000):
        if all(row.state in ENDS for row in stage.queue.deliveries.values()):
            break
        await asyncio.sleep(1)
    assert not run.done()
    await stage.worker.stop(0)
    await run
    return stage, channel, list(plan_of)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans=PLANS, slots=st.integers(1, 6), kind=st.sampled_from([Scripted, Collapsing]))
def test_slots_lanes_and_order_are_kept_and_everything_ends(
    plans: list[Planned], slots: int, kind: type[Scripted]
) -> None:
    stage, channel, accepted = play(act(plans, slots, kind))

    assert channel.most_of_a_lane == 1
    assert channel.most_in_flight <= slots
    assert channel.most_ordinary <= slots - kept_for_urgent(slots)
    first_tries = list(dict.fromkeys(channel.order))
    for address in "abcde":
        for urgent in (True, False):
            of_a_lane = [
                name
                for name, plan in zip(accepted, plans, strict=True)
                if (plan.address, plan.urgent) == (address, urgent)
            ]
            assert [name for name in first_tries if name in of_a_lane] == of_a_lane
    for name in accepted:
        row = stage.queue.deliveries[name]
        assert row.state in ENDS, row
        tries = stage.tries(name)
        assert len(tries) == channel.order.count(name)
        counted = [attempt.number for attempt in tries if attempt.outcome != "suspend"]
        assert counted == list(range(1, len(counted) + 1))


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
