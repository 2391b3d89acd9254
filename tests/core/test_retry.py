import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.retry import (
    DELAYS,
    SUSPENSION,
    Again,
    Dead,
    Done,
    Expired,
    Hold,
    Next,
    counts,
    follow,
)

NOW = 1000.0
LATER = NOW + 86400


def after(
    outcome: Outcome,
    *,
    attempts: int = 1,
    idempotent: bool = False,
    expires_at: float = LATER,
    age: float = 0.0,
    dice: float = 0.5,
) -> Next:
    return follow(
        outcome,
        attempts=attempts,
        idempotent=idempotent,
        now=NOW,
        expires_at=expires_at,
        age=age,
        dice=dice,
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
        (Suspend(reason="401"), Hold(NOW + SUSPENSION, "401")),
        (Suspend(reason="401", after=0), Hold(NOW, "401")),
        (Suspend(reason="401", after=300), Hold(NOW + 300, "401")),
        (Unknown(reason="timeout"), Dead("may_have_arrived")),
        (Retry(reason="500"), Again(NOW + 2.5)),
        (Retry(reason="429", after=20), Again(NOW + 20)),
        (Retry(reason="429", after=1), Again(NOW + 2.5)),
    ],
)
def test_each_outcome_has_its_consequence(outcome: Outcome, follows: Next) -> None:
    assert after(outcome) == follows


@pytest.mark.parametrize(
    ("asked", "age", "dice", "wait"),
    [
        (None, 0, 0.5, 2.5),
        (None, 100, 0.5, 50),
        (None, 86400, 0.5, 3600),
        (20, 0, 0.5, 20),
        (20, 100, 0.5, 50),
    ],
)
def test_a_throttled_try_does_not_count_and_waits_longer_the_older_it_is(
    asked: float | None, age: float, dice: float, wait: float
) -> None:
    throttled = Retry(status=429, reason="slow down", after=asked)
    for attempts in (1, len(DELAYS) + 1):
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


@pytest.mark.parametrize(("attempts", "upper"), list(enumerate(DELAYS, start=1)))
def test_the_wait_grows_with_the_attempts(attempts: int, upper: float) -> None:
    assert after(Retry(reason="x"), attempts=attempts, dice=0.0) == Again(NOW)
    almost = after(Retry(reason="x"), attempts=attempts, dice=0.999)
    assert almost == Again(NOW + 0.999 * upper)


def test_after_the_last_wait_the_delivery_is_dead() -> None:
    assert after(Retry(reason="x"), attempts=len(DELAYS) + 1) == Dead("attempts_exhausted")


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
            assert NOW + (wait or 0) <= at < NOW + lasts
            assert at <= NOW + max(wait or 0, DELAYS[attempts - 1])
        case Dead(reason=reason):
            assert reason == "attempts_exhausted"
            assert attempts > len(DELAYS)
        case follows:
            assert isinstance(follows, Expired)
