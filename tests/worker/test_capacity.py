"""How much the worker takes at once."""

import asyncio

import pytest

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome
from router.worker.outbox import MAX_IN_MEMORY
from tests.worker.harness import Harness
from tests.worker.virtual_time import run_in_virtual_time


async def hang(message: Message) -> Outcome:
    await asyncio.sleep(1000)
    return Delivered()


def test_nothing_is_taken_before_the_worker_knows_what_waits_on_disk() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open()

        assert not harness.worker.room("ops")
        await harness.run(1)
        assert harness.worker.room("ops")

    run_in_virtual_time(scenario())


def test_a_channel_has_no_room_while_older_deliveries_wait_on_disk() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(rate="10/s", concurrency=2)
        backlog = [harness.plan(f"a{number}") for number in range(50)]
        await harness.run(1)
        assert not harness.worker.room("ops")
        new = harness.plan("new", handed=True)
        await harness.run(20)

        assert channel.order == [*backlog, new]
        assert harness.worker.room("ops")

    run_in_virtual_time(scenario())


def test_room_that_was_promised_counts_until_it_is_used_or_forgotten() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open(concurrency=4)
        await harness.run(1)

        promised = 0
        while harness.worker.room("ops"):
            promised += 1
        assert promised == 3
        await harness.run(2)
        assert harness.worker.room("ops")

    run_in_virtual_time(scenario())


def test_memory_is_bounded_however_many_channels_hang() -> None:
    async def scenario() -> None:
        harness = Harness()
        for number in range(10):
            harness.open(hang, name=f"c{number}", concurrency=1000, limit=300)
        for number in range(3000):
            harness.plan(f"a{number}", channel=f"c{number % 10}")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(5)

        sending = [r for r in harness.queue.deliveries.values() if r.state == "sending"]
        assert MAX_IN_MEMORY * 0.7 <= len(sending) <= MAX_IN_MEMORY
        good = harness.open(name="good")
        harness.plan("z", channel="good")
        await asyncio.sleep(1)
        assert len(good.sent) == 1
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_the_open_deliveries_are_counted_for_the_metrics() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open(hang, concurrency=1)
        for number in range(10):
            harness.plan(f"a{number}")
        await harness.run(12)

        text = harness.metrics.exposition().decode()
        assert 'router_deliveries{channel="ops",state="due"} 9.0' in text
        assert 'router_deliveries{channel="ops",state="sending"} 1.0' in text

    run_in_virtual_time(scenario())


def test_attempts_are_measured_by_channel_and_outcome() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open()
        for number in range(3):
            harness.plan(f"a{number}")
        await harness.run(1)

        text = harness.metrics.exposition().decode()
        assert 'router_attempts_total{channel="ops",outcome="delivered"} 3.0' in text
        assert 'router_attempt_seconds_count{channel="ops"} 3.0' in text
        assert "router_delivery_lag_seconds_count 3.0" in text

    run_in_virtual_time(scenario())


def test_a_rate_that_allows_a_send_between_two_looks_at_the_clock_forgets_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(rate="10/s")
        gate = harness.worker._dispatcher.gate("ops")
        seconds = iter([0.05])
        monkeypatch.setattr(gate, "wait", lambda: next(seconds, 0.0))
        sent = harness.plan(forced=True)
        await harness.run(1)
        assert channel.order == [sent]

    run_in_virtual_time(scenario())
