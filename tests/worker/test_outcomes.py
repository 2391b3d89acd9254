"""What a channel answers, and what becomes of the delivery."""

import asyncio
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from tests.worker.harness import Collapsing, Harness, Script
from tests.worker.virtual_time import EPOCH, now, run_in_virtual_time


def answering(*outcomes: Outcome) -> Script:
    """Answer one outcome after the other, the last for ever."""
    left = list(outcomes)

    async def script(message: Message) -> Outcome:
        return left.pop(0) if len(left) > 1 else left[0]

    return script


def raising(fault: BaseException) -> Script:
    async def script(message: Message) -> Outcome:
        raise fault

    return script


@pytest.mark.parametrize(
    ("outcome", "level", "event", "seconds"),
    [
        (Delivered(status=201), "debug", "delivery sent", None),
        (Retry(status=503, reason="busy", after=90), "info", "delivery retry scheduled", 90.0),
        (Suspend(status=401, reason="bad key", after=60), "info", "delivery retry scheduled", 60.0),
        (Rejected(status=400, reason="no such id"), "info", "delivery attempt failed", None),
    ],
)
def test_an_attempt_is_logged_with_what_follows(
    outcome: Outcome, level: str, event: str, seconds: float | None
) -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.0)
        harness.open(answering(outcome))
        with capture_logs() as lines:
            delivery = harness.plan()
            await harness.run(1)

        (line,) = (line for line in lines if line.get("delivery") == delivery and "status" in line)
        assert (line["log_level"], line["event"], line["channel"]) == (level, event, "ops")
        assert line["status"] == outcome.status
        assert line.get("seconds") == seconds

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("handed", [True, False])
def test_a_delivered_message_is_done_with_its_handle(*, handed: bool) -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open(answering(Delivered(status=201, handle="sid-1")))
        await harness.run(1)
        delivery = harness.plan(handed=handed)
        await harness.run(1)

        assert harness.state(delivery) == ("delivered", "")
        assert harness.queue.deliveries[delivery].handle == "sid-1"
        (attempt,) = harness.tries(delivery)
        assert (attempt.number, attempt.outcome, attempt.status, attempt.handle) == (
            1,
            "delivered",
            201,
            "sid-1",
        )

    run_in_virtual_time(scenario())


def test_a_retry_comes_after_the_schedule_until_attempts_are_exhausted() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(answering(Retry(status=503, reason="busy")))
        delivery = harness.plan(expires_in=86400)
        await harness.run(10000)

        begun = [sent.began for sent in channel.sent]
        waits = [later - earlier for earlier, later in pairwise(begun)]
        assert len(begun) == 7
        for wait, delay in zip(waits, (5, 30, 120, 600, 1800, 7200), strict=True):
            assert delay <= wait <= delay + 0.6
        assert harness.state(delivery) == ("dead", "attempts_exhausted")
        assert [attempt.number for attempt in harness.tries(delivery)] == [1, 2, 3, 4, 5, 6, 7]
        assert harness.tries(delivery)[0].reason == "busy"

    run_in_virtual_time(scenario())


def test_a_retry_never_comes_before_the_time_the_provider_named() -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.0)
        channel = harness.open(answering(Retry(reason="slow down", after=90), Delivered()))
        delivery = harness.plan()
        await harness.run(200)

        first, second = channel.sent
        assert 90 <= second.began - first.began <= 90.6
        assert harness.state(delivery)[0] == "delivered"

    run_in_virtual_time(scenario())


def test_a_retry_after_the_expiry_is_not_made() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(answering(Retry(reason="slow down", after=90)))
        delivery = harness.plan(expires_in=60)
        await harness.run(200)

        assert harness.state(delivery)[0] == "expired"
        assert len(channel.sent) == 1

    run_in_virtual_time(scenario())


def test_what_expired_while_it_waited_is_not_sent() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(10)
            return Delivered()

        channel = harness.open(slow, concurrency=1)
        await harness.run(1)
        kept, late = harness.plan("a", handed=True), harness.plan("b", handed=True, expires_in=5)
        await harness.run(20)

        assert harness.state(kept)[0] == "delivered"
        assert harness.state(late) == ("expired", "expired before it was sent")
        assert harness.tries(late) == []
        assert channel.order == [kept]

    run_in_virtual_time(scenario())


def test_a_rejected_message_is_dead_with_the_reason() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open(answering(Rejected(status=404, reason="no such number", forget_contact=True)))
        delivery = harness.plan()
        await harness.run(1)

        assert harness.state(delivery) == ("dead", "no such number")

    run_in_virtual_time(scenario())


def test_an_unknown_end_is_sent_again_only_where_repeats_collapse() -> None:
    async def scenario() -> None:
        harness = Harness()
        plain = harness.open(answering(Unknown(reason="no answer"), Delivered()), name="plain")
        same = harness.open(
            answering(Unknown(reason="no answer"), Delivered()), name="same", kind=Collapsing
        )
        once, again = harness.plan(channel="plain"), harness.plan(channel="same")
        await harness.run(60)

        assert harness.state(once) == ("dead", "may_have_arrived")
        assert len(plain.sent) == 1
        assert harness.state(again)[0] == "delivered"
        assert len(same.sent) == 2

    run_in_virtual_time(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        ValueError("token hunter2"),
        KeyError("hunter2"),
        TimeoutError("hunter2"),
        asyncio.CancelledError("hunter2"),
        SystemExit("hunter2"),
        KeyboardInterrupt("hunter2"),
        RecursionError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_a_channel_raises_is_named_without_its_text_and_tried_again(
    fault: BaseException,
) -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(raising(fault))
        delivery = harness.plan()
        await harness.run(2)
        channel.script = answering(Delivered())
        await harness.run(60)

        assert harness.state(delivery)[0] == "delivered"
        failed, _ = harness.tries(delivery)
        assert failed.outcome == "retry"
        assert failed.reason == f"raised {type(fault).__name__}"

    run_in_virtual_time(scenario())


def test_an_answer_that_is_no_outcome_is_tried_again() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def forgetful(message: Message) -> Outcome:
            return None  # type: ignore[return-value]  # as a plugin without types might

        harness.open(forgetful)
        delivery = harness.plan()
        await harness.run(2)

        assert harness.tries(delivery)[0].reason == "answered NoneType, which is not an outcome"

    run_in_virtual_time(scenario())


def test_a_hanging_send_is_given_up_a_second_after_its_timeout() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def hang(message: Message) -> Outcome:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        channel = harness.open(hang, limit=15)
        delivery = harness.plan()
        await harness.run(20)

        (sent,) = channel.sent
        assert sent.ended - sent.began == pytest.approx(16)
        assert harness.state(delivery) == ("dead", "may_have_arrived")
        assert harness.tries(delivery)[0].reason == "no answer in 16 s"

    run_in_virtual_time(scenario())


def test_hostile_texts_and_numbers_of_a_plugin_are_made_storable() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.open(
            answering(
                Retry(status=10**30, reason="\0" + "x" * 9999, after=float("nan")),
                Retry(reason="later", after="soon"),  # type: ignore[arg-type]  # as a plugin without types might
                Suspend(reason="later", after=float("inf")),
                Delivered(handle=12345),  # type: ignore[arg-type]  # the same
            )
        )
        delivery = harness.plan()
        await harness.run(120)

        first, second, held, third = harness.tries(delivery)
        assert first.status is None
        assert first.reason == "\ufffd" + "x" * 499
        assert second.outcome == "retry"
        assert held.outcome == "suspend"
        assert third.handle == "12345"

    run_in_virtual_time(scenario())


def test_a_delivery_whose_channel_is_gone_waits_until_it_is_back() -> None:
    async def scenario() -> None:
        harness = Harness()
        delivery = harness.plan(channel="old")
        await harness.run(30)
        assert harness.state(delivery) == ("waiting", "channel_gone")
        assert harness.tries(delivery) == []

        channel = harness.open(name="old")
        await harness.run(60)
        assert harness.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 1

    run_in_virtual_time(scenario())


def test_an_hour_of_retries_takes_no_time() -> None:
    async def scenario() -> float:
        await asyncio.sleep(3600)
        return now() - EPOCH

    assert run_in_virtual_time(scenario()) == pytest.approx(3600)
