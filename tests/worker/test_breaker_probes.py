"""Calls and the probes of a provider that was down."""

import asyncio

import pytest

from router.core.model.outcome import Outcome, Retry, Suspend, Unknown
from tests.worker.harness import Harness
from tests.worker.test_provider_outages import down
from tests.worker.virtual_time import now, run_in_virtual_time


@pytest.mark.parametrize(
    "outcome",
    [Retry(reason="refused"), Unknown(reason="no answer"), Suspend(reason="key", after=3.0)],
    ids=["refused", "hangs", "suspended"],
)
def test_calls_are_no_probes_while_chats_wait_and_go_first_when_one_went_well(
    outcome: Outcome,
) -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.0)
        back = now() + 40
        channel = harness.open(down(back, outcome), concurrency=32)
        chats = {harness.plan(f"a{number}") for number in range(200)}
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        calls = set()
        for number in range(20):
            calls.add(harness.plan(f"callee {number}", urgent=True, handed=True, expires_in=120))
            await asyncio.sleep(1.9)
        assert not calls.intersection(channel.order)
        await asyncio.sleep(100)

        began = {sent.delivery: sent.began for sent in channel.sent if sent.began >= back}
        probe, *others = sorted(began.keys() & chats, key=began.__getitem__)
        assert began[probe] < min(began[call] for call in calls)
        assert max(began[call] for call in calls) <= min(began[chat] for chat in others)
        assert {harness.state(call)[0] for call in calls} == {"delivered"}
        assert {len(harness.tries(call)) for call in calls} == {1}
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_call_is_the_probe_when_nothing_else_waits() -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.0)
        channel = harness.open(down(now() + 10, Retry(reason="refused")), concurrency=32)
        for number in range(5):
            harness.plan(f"a{number}", expires_in=2)
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(12)
        sent = len(channel.sent)
        calls = [harness.plan(f"callee {number}", urgent=True, handed=True) for number in range(3)]
        await asyncio.sleep(3)

        assert channel.order[sent:] == calls
        assert channel.sent[sent].ended <= channel.sent[sent + 1].began
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())
