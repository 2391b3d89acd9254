"""What a channel answers, and what becomes of the delivery."""

import asyncio
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from tests.worker.stage import Collapsing, Script, Stage
from tests.worker.virtual import EPOCH, now, play


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
    async def scene() -> None:
        stage = Stage(dice=lambda: 0.0)
        stage.open(answering(outcome))
        with capture_logs() as lines:
            delivery = stage.plan()
            await stage.run(1)

        (line,) = (line for line in lines if line.get("delivery") == delivery and "status" in line)
        assert (line["log_level"], line["event"], line["channel"]) == (level, event, "ops")
        assert line["status"] == outcome.status
        assert line.get("seconds") == seconds

    play(scene())


@pytest.mark.parametrize("handed", [True, False])
def test_a_delivered_message_is_done_with_its_handle(*, handed: bool) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open(answering(Delivered(status=201, handle="sid-1")))
        await stage.run(1)
        delivery = stage.plan(handed=handed)
        await stage.run(1)

        assert stage.state(delivery) == ("delivered", "")
        assert stage.queue.deliveries[delivery].handle == "sid-1"
        (attempt,) = stage.tries(delivery)
        assert (attempt.number, attempt.outcome, attempt.status, attempt.handle) == (
            1,
            "delivered",
            201,
            "sid-1",
        )

    play(scene())


def test_a_retry_comes_after_the_schedule_until_attempts_are_exhausted() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(answering(Retry(status=503, reason="busy")))
        delivery = stage.plan(expires_in=86400)
        await stage.run(10000)

        begun = [sent.began for sent in channel.sent]
        waits = [later - earlier for earlier, later in pairwise(begun)]
        assert len(begun) == 7
        for wait, delay in zip(waits, (5, 30, 120, 600, 1800, 7200), strict=True):
            assert delay <= wait <= delay + 0.6
        assert stage.state(delivery) == ("dead", "attempts_exhausted")
        assert [attempt.number for attempt in stage.tries(delivery)] == [1, 2, 3, 4, 5, 6, 7]
        assert stage.tries(delivery)[0].reason == "busy"

    play(scene())


def test_a_retry_never_comes_before_the_time_the_provider_named() -> None:
    async def scene() -> None:
        stage = Stage(dice=lambda: 0.0)
        channel = stage.open(answering(Retry(reason="slow down", after=90), Delivered()))
        delivery = stage.plan()
        await stage.run(200)

        first, second = channel.sent
        assert 90 <= second.began - first.began <= 90.6
        assert stage.state(delivery)[0] == "delivered"

    play(scene())


def test_a_retry_after_the_expiry_is_not_made() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(answering(Retry(reason="slow down", after=90)))
        delivery = stage.plan(expires_in=60)
        await stage.run(200)

        assert stage.state(delivery)[0] == "expired"
        assert len(channel.sent) == 1

    play(scene())


def test_what_expired_while_it_waited_is_not_sent() -> None:
    async def scene() -> None:
        stage = Stage()

        async def slow(message: Message) -> Outcome:
            await asyncio.sleep(10)
            return Delivered()

        channel = stage.open(slow, concurrency=1)
        await stage.run(1)
        kept, late = stage.plan("a", handed=True), stage.plan("b", handed=True, expires_in=5)
        await stage.run(20)

        assert stage.state(kept)[0] == "delivered"
        assert stage.state(late) == ("expired", "expired before it was sent")
        assert stage.tries(late) == []
        assert channel.order == [kept]

    play(scene())


def test_a_rejected_message_is_dead_with_the_reason() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open(answering(Rejected(status=404, reason="no such number", forget_contact=True)))
        delivery = stage.plan()
        await stage.run(1)

        assert stage.state(delivery) == ("dead", "no such number")

    play(scene())


def test_an_unknown_end_is_sent_again_only_where_repeats_collapse() -> None:
    async def scene() -> None:
        stage = Stage()
        plain = stage.open(answering(Unknown(reason="no answer"), Delivered()), name="plain")
        same = stage.open(
            answering(Unknown(reason="no answer"), Delivered()), name="same", kind=Collapsing
        )
        once, again = stage.plan(channel="plain"), stage.plan(channel="same")
        await stage.run(60)

        assert stage.state(once) == ("dead", "may_have_arrived")
        assert len(plain.sent) == 1
        assert stage.state(again)[0] == "delivered"
        assert len(same.sent) == 2

    play(scene())


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
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(raising(fault))
        delivery = stage.plan()
        await stage.run(2)
        channel.script = answering(Delivered())
        await stage.run(60)

        assert stage.state(delivery)[0] == "delivered"
        failed, _ = stage.tries(delivery)
        assert failed.outcome == "retry"
        assert failed.reason == f"raised {type(fault).__name__}"

    play(scene())


def test_an_answer_that_is_no_outcome_is_tried_again() -> None:
    async def scene() -> None:
        stage = Stage()

        async def forgetful(message: Message) -> Outcome:
            return None  # type: ignore[return-value]  # as a plugin without types might

        stage.open(forgetful)
        delivery = stage.plan()
        await stage.run(2)

        assert stage.tries(delivery)[0].reason == "answered NoneType, which is not an outcome"

    play(scene())


def test_a_hanging_send_is_given_up_a_second_after_its_timeout() -> None:
    async def scene() -> None:
        stage = Stage()

        async def hang(message: Message) -> Outcome:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        channel = stage.open(hang, limit=15)
        delivery = stage.plan()
        await stage.run(20)

        (sent,) = channel.sent
        assert sent.ended - sent.began == pytest.approx(16)
        assert stage.state(delivery) == ("dead", "may_have_arrived")
        assert stage.tries(delivery)[0].reason == "no answer in 16 s"

    play(scene())


def test_hostile_texts_and_numbers_of_a_plugin_are_made_storable() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open(
            answering(
                Retry(status=10**30, reason="\0" + "x" * 9999, after=float("nan")),
                Retry(reason="later", after="soon"),  # type: ignore[arg-type]  # as a plugin without types might
                Suspend(reason="later", after=float("inf")),
                Delivered(handle=12345),  # type: ignore[arg-type]  # the same
            )
        )
        delivery = stage.plan()
        await stage.run(120)

        first, second, held, third = stage.tries(delivery)
        assert first.status is None
        assert first.reason == "\ufffd" + "x" * 499
        assert second.outcome == "retry"
        assert held.outcome == "suspend"
        assert third.handle == "12345"

    play(scene())


def test_a_delivery_whose_channel_is_gone_waits_until_it_is_back() -> None:
    async def scene() -> None:
        stage = Stage()
        delivery = stage.plan(channel="old")
        await stage.run(30)
        assert stage.state(delivery) == ("waiting", "channel_gone")
        assert stage.tries(delivery) == []

        channel = stage.open(name="old")
        await stage.run(60)
        assert stage.state(delivery)[0] == "delivered"
        assert len(channel.sent) == 1

    play(scene())


def test_an_hour_of_retries_takes_no_time() -> None:
    async def scene() -> float:
        await asyncio.sleep(3600)
        return now() - EPOCH

    assert play(scene()) == pytest.approx(3600)
