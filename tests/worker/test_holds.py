"""Channels that are held: suspended by their provider, or paused by an operator."""

import asyncio

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend
from router.queue.channels import start_sending, stop_sending
from tests.worker.harness import Harness, Script
from tests.worker.virtual_time import now, run_in_virtual_time


def key_is_wrong(until: float) -> Script:
    async def script(message: Message) -> Outcome:
        await asyncio.sleep(0.01)
        if now() < until:
            return Suspend(status=401, reason="wrong key", after=60)
        return Delivered()

    return script


def test_a_suspension_holds_the_channel_and_burns_no_attempt() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(key_is_wrong(now() + 200), concurrency=4)
        other = harness.open(name="other")
        deliveries = [harness.plan(f"a{number}") for number in range(50)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(30)

        assert len(channel.sent) == 3
        (held,) = await harness.queue.holds(now=now())
        assert (held.channel, held.cause, held.host) == ("ops", "suspended", "")
        assert harness.state(deliveries[0]) == ("waiting", "wrong key")
        assert {row.attempts for row in harness.queue.deliveries.values()} == {0}
        assert 'held{cause="suspended",channel="ops"} 1.0' in harness.metrics.exposition().decode()
        elsewhere = harness.plan("z", channel="other", handed=True)
        await asyncio.sleep(0.1)
        assert harness.state(elsewhere)[0] == "delivered"
        assert len(other.sent) == 1

        await asyncio.sleep(170)
        assert len(channel.sent) == 3 + 3
        await asyncio.sleep(60)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        assert {row.attempts for row in harness.queue.deliveries.values()} == {1}
        assert {row.handouts for row in harness.queue.deliveries.values()} <= {0, 1}
        assert 'held{cause="suspended",channel="ops"} 0.0' in harness.metrics.exposition().decode()
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_suspension_outlives_a_restart() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(key_is_wrong(now() + 10))
        harness.plan()
        await harness.run(2)
        assert len(channel.sent) == 1

        harness.worker = harness.new_worker()
        harness.plan("b")
        await harness.run(50)
        assert len(channel.sent) == 1
        await harness.run(20)
        assert len(channel.sent) == 3

    run_in_virtual_time(scenario())


def test_a_probe_that_fails_gives_the_provider_a_rest_and_lets_no_others_through() -> None:
    async def scenario() -> None:
        harness = Harness()
        answers: list[Outcome] = [
            Suspend(reason="wrong key", after=10),
            Retry(reason="busy"),
            Rejected(status=404, reason="no such number"),
        ]

        async def script(message: Message) -> Outcome:
            await asyncio.sleep(1)
            return answers.pop(0) if answers else Delivered()

        channel = harness.open(script)
        harness.plan("first")
        await harness.run(2)
        for number in range(5):
            harness.plan(f"a{number}")
        await harness.run(30)

        began = sorted(sent.began for sent in channel.sent)
        assert 11 <= began[1] - began[0] <= 12
        assert 11 <= began[2] - began[1] <= 12
        assert 1 <= began[3] - began[2] <= 2
        assert began[5] - began[3] < 1
        assert channel.most_in_flight > 1

    run_in_virtual_time(scenario())


def test_an_operator_pauses_and_resumes_a_channel() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(rate="1/s")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        deliveries = [harness.plan(f"a{number}", handed=True) for number in range(10)]
        await asyncio.sleep(3.5)
        await harness.queue.pause("ops", cause="paused", until=now() + 3600)
        await asyncio.sleep(1)
        sent = len(channel.sent)
        assert sent < 6
        assert not harness.worker.room("ops")
        assert {row.state for row in harness.queue.deliveries.values()} == {"delivered", "waiting"}

        await asyncio.sleep(100)
        assert len(channel.sent) == sent
        await harness.queue.resume("ops")
        await asyncio.sleep(30)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        assert channel.order == deliveries
        assert len(channel.sent) == 10
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_suspension_found_while_the_database_is_away_is_kept_and_told_later() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def script(message: Message) -> Outcome:
            harness.queue.down = True
            return Suspend(reason="wrong key", after=600)

        channel = harness.open(script, concurrency=2)
        for number in range(4):
            harness.plan(f"a{number}")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(10)
        harness.queue.down = False
        await asyncio.sleep(60)

        assert len(channel.sent) == 1
        assert await harness.queue.holds(now=now())
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_what_waits_in_memory_does_not_go_once_it_is_recalled() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def script(message: Message) -> Outcome:
            await asyncio.sleep(3)
            return Retry(reason="busy")

        channel = harness.open(script, concurrency=4, rate="10/m")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(60)
        ids = [harness.plan(f"a{number}", forced=True) for number in range(5)]
        await asyncio.sleep(1)
        assert len(channel.in_flight) > 0
        harness.queue.unwanted = set(ids)
        harness.worker.recall(ids[3:])
        await asyncio.sleep(1)
        assert [harness.state(id_) for id_ in ids[1:]] == [("cancelled", "operator")] * 4
        await asyncio.sleep(120)
        assert {sent.delivery for sent in channel.sent} == {ids[0]}
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_stopped_sending_holds_every_channel_until_it_is_started_again() -> None:
    async def scenario() -> None:
        harness = Harness()
        channels = [harness.open(name="ops", rate="1/s"), harness.open(name="other")]
        await stop_sending(harness.queue)
        held = [harness.plan("a", handed=True), harness.plan("b", channel="other", urgent=True)]
        await harness.run(5)
        harness.worker = harness.new_worker()
        run = asyncio.create_task(harness.worker.run())
        held.append(harness.plan("c", handed=True))
        await asyncio.sleep(5)
        stopped = harness.worker.is_stopped
        assert stopped
        late = harness.open(name="late")
        held += [harness.plan("d", channel="late", forced=True), harness.plan("e", channel="late")]
        await asyncio.sleep(5)

        assert [channel.sent for channel in (*channels, late)] == [[], [], []]
        assert {harness.state(id_)[0] for id_ in held} == {"waiting"}
        shown = harness.metrics.exposition().decode()
        for name in ("ops", "other", "late"):
            assert f'held{{cause="stopped",channel="{name}"}} 1.0' in shown

        await harness.queue.pause("other", cause="paused", until=now() + 60)
        await start_sending(harness.queue)
        await asyncio.sleep(5)
        states = [harness.state(id_)[0] for id_ in held]
        assert states == ["delivered", "waiting", *["delivered"] * 3]
        assert not harness.worker.is_stopped
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_what_waits_in_memory_stays_when_sending_is_stopped() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(rate="1/s")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        for number in range(10):
            harness.plan(f"a{number}", handed=True)
        await asyncio.sleep(2.2)
        await stop_sending(harness.queue)
        await asyncio.sleep(1)
        sent = len(channel.sent)
        await asyncio.sleep(60)
        assert len(channel.sent) == sent < 10
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())
