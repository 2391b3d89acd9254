"""Daily caps: no more sends than a channel or an app has for the day."""

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from router.core.model.daily_cap import CAPPED, day_of, end_of
from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Unknown
from tests.worker.harness import Harness, Script
from tests.worker.virtual_time import now, run_in_virtual_time

DAY = 86400.0


def take_after(seconds: float, *, refused: int = 0) -> Script:
    """Play a provider that refuses the first ones, and takes the others after a while."""
    calls = 0

    async def script(message: Message) -> Outcome:
        nonlocal calls
        calls += 1
        number = calls
        await asyncio.sleep(seconds)
        return Rejected(status=400, reason="no") if number <= refused else Delivered()

    return script


def count_states(harness: Harness) -> Counter[tuple[str, str]]:
    return Counter((row.state, row.reason) for row in harness.queue.deliveries.values())


def test_a_channel_sends_no_more_than_its_cap_and_goes_on_the_next_day() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(take_after(1), concurrency=8, cap="10/day")
        other = harness.open(name="other")
        for number in range(25):
            harness.plan(f"a{number}", handed=True, expires_in=3 * DAY)
        with capture_logs() as logs:
            await harness.run(600)
            harness.plan("z", channel="other")
            await harness.run(10)
        tomorrow = end_of(day_of(now()))
        assert len(channel.sent) == 10
        assert len(other.sent) == 1
        held = [hold for hold in await harness.queue.holds(now=now()) if hold.channel == "ops"]
        assert [(hold.cause, hold.until) for hold in held] == [("cap", tomorrow)]
        assert 'held{cause="cap",channel="ops"} 1.0' in harness.metrics.exposition().decode()
        lines = [log for log in logs if log["event"] == "channel daily cap reached"]
        assert [(log["channel"], log["cap"], log["log_level"]) for log in lines] == [
            ("ops", 10, "warning")
        ]
        assert {row.attempts for row in harness.queue.deliveries.values()} == {0, 1}

        await asyncio.sleep(tomorrow - now() - 5)
        await harness.run(30)
        assert len(channel.sent) == 20
        await asyncio.sleep(DAY)
        await harness.run(30)
        assert count_states(harness) == {("delivered", ""): 26}
        assert 'held{cause="cap",channel="ops"} 0.0' in harness.metrics.exposition().decode()

    run_in_virtual_time(scenario())


def test_a_refusal_does_not_count_and_an_unknown_outcome_does() -> None:
    async def scenario() -> None:
        harness = Harness()
        answers: list[Outcome] = [
            *(Rejected(status=400, reason="no"), Retry(status=500, reason="down")),
            *(Unknown(reason="no answer"), Delivered()),
        ]

        async def script(message: Message) -> Outcome:
            return answers.pop(0) if answers else Delivered()

        channel = harness.open(script, concurrency=1, cap="3/day")
        for number in range(8):
            harness.plan(f"a{number}", expires_in=DAY)
        await harness.run(120)
        assert len(channel.sent) == 5
        assert count_states(harness)["dead", "may_have_arrived"] == 1
        (count,) = await harness.queue.daily_counts(now=now())
        assert count.count == 3

    run_in_virtual_time(scenario())


def test_sends_in_flight_count_and_give_their_place_back_when_they_are_refused() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(take_after(5, refused=3), concurrency=32, cap="4/day")
        for number in range(12):
            harness.plan(f"a{number}", handed=True)
        await harness.run(60)
        assert channel.most_in_flight == 4
        assert count_states(harness) == {
            ("dead", "no"): 3,
            ("delivered", ""): 4,
            ("waiting", ""): 5,
        }

    run_in_virtual_time(scenario())


def test_a_cap_outlives_a_restart() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(concurrency=1, cap="5/day")
        for number in range(3):
            harness.plan(f"a{number}")
        await harness.run(10)
        harness.worker = harness.new_worker()
        for number in range(9):
            harness.plan(f"b{number}", handed=True)
        await harness.run(60)
        assert len(channel.sent) == 5

    run_in_virtual_time(scenario())


def test_a_day_that_ends_during_a_send_starts_a_new_count() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(take_after(2), cap="2/day")
        await asyncio.sleep(end_of(day_of(now())) - now() - 1)
        for number in range(8):
            harness.plan(f"a{number}", handed=True, expires_in=3 * DAY)
        await harness.run(60)
        assert len(channel.sent) == 2
        assert all(sent.ended > end_of(day_of(sent.began)) for sent in channel.sent)
        assert [count.count for count in await harness.queue.daily_counts(now=now())] == [2]

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("cap", ["6/day", ""])
def test_a_cap_that_the_rules_raise_or_drop_lets_the_channel_go_on(cap: str) -> None:
    async def scenario() -> None:
        harness = Harness()
        first = harness.open(cap="2/day")
        for number in range(8):
            harness.plan(f"a{number}")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(10)
        assert len(first.sent) == 2
        second = harness.open(cap=cap)
        await asyncio.sleep(10)
        assert len(second.sent) == (4 if cap else 6)
        third = harness.open(cap="1/day")
        harness.plan("late")
        await asyncio.sleep(10)
        assert third.sent == []
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_an_operator_lifts_a_cap_for_the_rest_of_the_day() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(cap="2/day")
        for number in range(8):
            harness.plan(f"a{number}")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(10)
        assert len(channel.sent) == 2
        await harness.queue.resume("ops")
        await asyncio.sleep(10)
        assert len(channel.sent) == 8
        assert await harness.queue.holds(now=now()) == []
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_the_cap_of_an_app_holds_its_own_deliveries_alone() -> None:
    async def scenario() -> None:
        harness = Harness(app_caps={"shop": 3})
        channel = harness.open(take_after(1), concurrency=8)
        for number in range(8):
            harness.plan(f"a{number}", app_id="shop", expires_in=2 * DAY)
            harness.plan(f"b{number}", app_id="club")
        with capture_logs() as logs:
            await harness.run(60)
        assert len(channel.sent) == 3 + 8
        assert count_states(harness) == {("delivered", ""): 11, ("waiting", CAPPED): 5}
        waiting = [row for row in harness.queue.deliveries.values() if row.state == "waiting"]
        assert {row.due_at for row in waiting} == {end_of(day_of(now()))}
        assert {row.attempts for row in waiting} == {0}
        assert await harness.queue.holds(now=now()) == []
        lines = [log for log in logs if log["event"] == "app daily cap reached"]
        assert [(log["app"], log["cap"]) for log in lines] == [("shop", 3)]
        assert 'router_app_capped{app="shop"} 1.0' in harness.metrics.exposition().decode()

        harness.app_caps["shop"] = 5
        await harness.run(60)
        assert len(channel.sent) == 5 + 8
        await asyncio.sleep(DAY)
        await harness.run(60)
        assert count_states(harness) == {("delivered", ""): 16}
        assert 'router_app_capped{app="shop"} 0.0' in harness.metrics.exposition().decode()

    run_in_virtual_time(scenario())


def test_a_queue_out_of_reach_lets_nothing_exceed_the_cap() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(take_after(1), concurrency=2, cap="4/day")
        for number in range(9):
            harness.plan(f"a{number}", handed=True)
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1.5)
        harness.queue.down = True
        await asyncio.sleep(60)
        harness.queue.down = False
        await asyncio.sleep(60)
        assert len(channel.sent) <= 4
        await asyncio.sleep(60)
        assert count_states(harness)["delivered", ""] == 4
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())
