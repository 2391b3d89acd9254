from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Scope, Suspend, Unknown
from router.core.model.retry import (
    DEFAULT_SUSPENSION_S,
    MAX_RETRY_S,
    MAX_SUSPENSION_S,
    MIN_RETRY_S,
    MIN_SUSPENSION_S,
    RETRY_DELAYS_S,
    THROTTLE_S,
    Again,
    Dead,
    Done,
    Expired,
    Hold,
    NextStep,
    asked_wait,
    counts,
    next_step,
)

NOW = 1000.0
LATER = NOW + 86400
HELD = 240.0
"""Seconds a refused recipient is held."""


def after(
    outcome: Outcome,
    *,
    attempts: int = 1,
    idempotent: bool = False,
    expires_at: float = LATER,
    age: float = 0.0,
    dice: float = 0.5,
) -> NextStep:
    return next_step(
        outcome,
        attempts=attempts,
        idempotent=idempotent,
        now=NOW,
        expires_at=expires_at,
        age=age,
        dice=dice,
        hold=HELD,
    )


@pytest.mark.parametrize(
    ("outcome", "follows"),
    [
        (Delivered(handle="m-1"), Done("m-1")),
        (
            Rejected(status=404, reason="gone", forget_contact=True),
            Dead("gone", forget_contact=True),
        ),
        (
            Rejected(status=410, reason="gone", forget_contact=True, dead_since=5.0),
            Dead("gone", forget_contact=True, dead_since=5.0),
        ),
        (Rejected(reason="no answer says so", forget_contact=True), Dead("no answer says so")),
        (Rejected(reason="bad"), Dead("bad")),
        (Suspend(reason="401"), Hold(NOW + DEFAULT_SUSPENSION_S, "401")),
        (Suspend(reason="401", after=0), Hold(NOW + DEFAULT_SUSPENSION_S, "401")),
        (Suspend(reason="401", after=0.001), Hold(NOW + MIN_SUSPENSION_S, "401")),
        (Suspend(reason="401", after=1e9), Hold(NOW + MAX_SUSPENSION_S, "401")),
        (
            Suspend(reason="403", scope="recipient"),
            Hold(NOW + HELD, "403", scope="recipient"),
        ),
        (
            Suspend(reason="403", after=300, scope="recipient"),
            Hold(NOW + 300, "403", scope="recipient"),
        ),
        (Suspend(reason="401", after=300), Hold(NOW + 300, "401")),
        (Unknown(reason="timeout"), Dead("may_have_arrived")),
        (Retry(reason="500"), Again(NOW + 2.5)),
        (Retry(reason="429", after=20), Again(NOW + 20)),
        (Retry(reason="429", after=1), Again(NOW + 2.5)),
    ],
)
def test_each_outcome_has_its_consequence(outcome: Outcome, follows: NextStep) -> None:
    assert after(outcome) == follows


@pytest.mark.parametrize(
    ("asked", "age", "dice", "wait"),
    [
        (None, 0, 0.5, THROTTLE_S),
        (None, 200, 0.5, 100),
        (0, 0, 0.5, THROTTLE_S),
        (None, 86400, 0.5, 3600),
        (20, 0, 0.5, 20),
        (20, 100, 0.5, 50),
    ],
)
@pytest.mark.parametrize(
    "sign", [{"status": 429}, {"status": 200, "throttled": True}], ids=["429", "a vendor's code"]
)
def test_a_throttled_try_does_not_count_and_waits_longer_the_older_it_is(
    asked: float | None, age: float, dice: float, wait: float, sign: dict[str, Any]
) -> None:
    throttled = Retry(reason="slow down", after=asked, **sign)
    for attempts in (1, len(RETRY_DELAYS_S) + 1):
        step = after(throttled, attempts=attempts, age=age, dice=dice)
        assert step == Again(NOW + wait, counts=False)
        assert not counts(step)


def test_a_throttled_try_expires_like_any_other() -> None:
    throttled = Retry(status=429, reason="slow down", after=60)
    assert isinstance(after(throttled, expires_at=NOW + 60), Expired)


def test_attempts_count_unless_they_say_nothing_against_the_message() -> None:
    assert counts(Again(NOW))
    assert counts(Done())
    assert not counts(Hold(NOW, "401"))


def test_a_doubtful_send_is_repeated_where_the_provider_collapses_repeats() -> None:
    assert after(Unknown(reason="timeout"), idempotent=True) == Again(NOW + 2.5)


@pytest.mark.parametrize(("attempts", "upper"), list(enumerate(RETRY_DELAYS_S, start=1)))
def test_the_wait_grows_with_the_attempts(attempts: int, upper: float) -> None:
    assert after(Retry(reason="x"), attempts=attempts, dice=0.0) == Again(NOW + MIN_RETRY_S)
    almost = after(Retry(reason="x"), attempts=attempts, dice=0.999)
    assert almost == Again(NOW + 0.999 * upper)


def test_after_the_last_wait_the_delivery_is_dead() -> None:
    assert after(Retry(reason="x"), attempts=len(RETRY_DELAYS_S) + 1) == Dead("attempts_exhausted")


def test_no_attempt_is_made_past_the_expiry() -> None:
    reason = "no attempt left before it expires"
    assert after(Retry(reason="x", after=10), expires_at=NOW + 10) == Expired(reason)
    assert after(Retry(reason="x", after=10), expires_at=NOW + 10.1) == Again(NOW + 10)


@given(
    attempts=st.integers(1, 20),
    wait=st.none() | st.floats(0, 1e6),
    lasts=st.floats(0, 1e6),
    dice=st.floats(0, 1, exclude_max=True),
)
def test_a_retry_comes_after_what_the_provider_asked_and_before_the_expiry(
    attempts: int, wait: float | None, lasts: float, dice: float
) -> None:
    outcome = Retry(reason="x", after=wait)
    match after(outcome, attempts=attempts, expires_at=NOW + lasts, dice=dice):
        case Again(at=at):
            asked = min(wait or 0, MAX_RETRY_S)
            assert NOW + max(asked, MIN_RETRY_S) <= at < NOW + lasts
            assert at <= NOW + max(asked, RETRY_DELAYS_S[attempts - 1])
        case Dead(reason=reason):
            assert reason == "attempts_exhausted"
            assert attempts > len(RETRY_DELAYS_S)
        case follows:
            assert isinstance(follows, Expired)


NUMBERS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.sampled_from([0, -0.0, 1e-300, float("nan"), float("inf"), float("-inf"), True, "7", b"7"]),
)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (7, 7.0),
        (0.5, 0.5),
        (1e9, MAX_RETRY_S),
        (10**400, MAX_RETRY_S),
        *((nothing, None) for nothing in (None, 0, -1, True, "7", float("nan"), float("inf"))),
    ],
)
def test_a_number_from_outside_is_a_time_or_nothing(asked: object, seconds: float | None) -> None:
    assert asked_wait(Retry(reason="x", after=asked)) == seconds  # type: ignore[arg-type]  # as a plugin without types might
    assert asked_wait(Suspend(reason="x", after=asked)) == seconds  # type: ignore[arg-type]  # the same


def test_what_asks_for_nothing_asks_for_no_time() -> None:
    assert asked_wait(Delivered()) is None
    assert asked_wait(Unknown(reason="x")) is None


@given(
    asked=NUMBERS,
    kind=st.sampled_from(["retry", "throttled", "channel", "recipient"]),
    attempts=st.integers(1, len(RETRY_DELAYS_S)),
    age=st.floats(0, 1e6),
    dice=st.floats(0, 1, exclude_max=True),
)
def test_whatever_a_channel_returns_the_next_try_is_neither_at_once_nor_never(
    asked: float | None, kind: str, attempts: int, age: float, dice: float
) -> None:
    outcome: Outcome
    match kind:
        case "retry" | "throttled":
            status = 429 if kind == "throttled" else 503
            outcome = Retry(reason="x", status=status, after=asked)
        case _:
            scope: Scope = "channel" if kind == "channel" else "recipient"
            outcome = Suspend(reason="x", after=asked, scope=scope)
    never = NOW + 1e9
    match after(outcome, attempts=attempts, age=age, dice=dice, expires_at=never):
        case Again(at=at):
            assert NOW + MIN_RETRY_S <= at <= NOW + MAX_RETRY_S
        case Hold(until=until):
            assert NOW + MIN_SUSPENSION_S <= until <= NOW + max(MAX_SUSPENSION_S, HELD)
        case follows:
            raise AssertionError(follows)
