"""Plugins that do what no plugin should: nothing is lost, and the others go on."""

import asyncio
import time

import pytest

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from router.telemetry import monitor_event_loop
from tests.worker.harness import Collapsing, Harness, Script
from tests.worker.virtual_time import run_in_virtual_time


async def return_nonsense(message: Message) -> Outcome:
    return "delivered"  # type: ignore[return-value]  # as a plugin without types might


async def raise_exit(message: Message) -> Outcome:
    raise SystemExit(3)


async def raise_cancelled(message: Message) -> Outcome:
    raise asyncio.CancelledError


async def raise_a_group(message: Message) -> Outcome:
    async with asyncio.TaskGroup() as group:
        group.create_task(raise_exit_later())
    return Delivered()


async def raise_exit_later() -> None:
    await asyncio.sleep(0)
    raise ValueError("hunter2")


async def cancel_itself(message: Message) -> Outcome:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)
    return Delivered()


async def never_end(message: Message) -> Outcome:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def refuse_to_end(message: Message) -> Outcome:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(100_000, over.set)
    while not over.is_set():
        try:
            await over.wait()
        except asyncio.CancelledError:
            continue
    return Delivered()


async def leak(message: Message) -> Outcome:
    leaked.add(asyncio.create_task(asyncio.sleep(50)))
    return Delivered()


leaked: set[asyncio.Task[None]] = set()


@pytest.mark.parametrize(
    ("script", "ends_well"),
    [
        (return_nonsense, False),
        (raise_exit, False),
        (raise_cancelled, False),
        (raise_a_group, False),
        (cancel_itself, False),
        (never_end, False),
        (refuse_to_end, False),
        (leak, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_nothing_is_lost_and_the_others_go_on(script: Script, *, ends_well: bool) -> None:
    async def scenario() -> None:
        leaked.clear()
        harness = Harness(dice=lambda: 0.5)
        bad = harness.open(script, name="bad", kind=Collapsing, concurrency=4)
        good = harness.open(name="good")
        theirs = [harness.plan(f"a{number}", channel="bad") for number in range(20)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(5)
        ours = harness.plan("z", channel="good", handed=True)
        await asyncio.sleep(0.1)
        assert harness.state(ours) == ("delivered", "")
        assert len(good.sent) == 1

        await asyncio.sleep(300)
        states = {harness.state(name)[0] for name in theirs}
        assert states == {"delivered"} if ends_well else states <= {"waiting", "sending"}
        bad.script = good.script
        await asyncio.sleep(3000)
        assert {harness.state(name)[0] for name in theirs} == {"delivered"}
        assert not run.done()
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_send_that_cannot_be_cancelled_gives_its_slot_and_its_lane_back() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(refuse_to_end, concurrency=1, limit=10)
        stuck = harness.plan("same")
        await harness.run(30)
        assert harness.state(stuck) == ("dead", "may_have_arrived")
        (tried,) = harness.tries(stuck)
        assert tried.reason == "no answer; the send ignored its cancellation"

        channel.script = Harness().open().script
        following = harness.plan("same")
        await harness.run(10)
        assert harness.state(following)[0] == "delivered"

    run_in_virtual_time(scenario())


async def test_who_blocks_the_loop_is_named_with_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def block() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - what a careless plugin does

    with monitor_event_loop(asyncio.get_running_loop(), after=0.1):
        await asyncio.sleep(0.2)
        assert "event loop blocked" not in capsys.readouterr().out
        await asyncio.create_task(block(), name="sending over gateway")
        await asyncio.sleep(0.2)
    logged = capsys.readouterr().out
    assert logged.count("event loop blocked") == 1
    assert "sending over gateway" in logged
    assert __file__ in logged
