"""Whose fault refusals are, told from those of others."""

from hypothesis import given
from hypothesis import strategies as st

from router.core.model.refusals import (
    FIRST_HOLD_S,
    GONE_RECIPIENTS,
    MAX_HOLD_S,
    MAX_HOLD_UNSERVED_S,
    MIN_DISTINCT_RECIPIENTS,
    SERVING,
    UNTRIED,
    RefusalStreak,
    add_gone,
    add_refusal,
    hold_time,
)


def refuse(streak: RefusalStreak, *recipients: str) -> RefusalStreak:
    """Return the streak after first refusals."""
    for recipient in recipients:
        streak = add_refusal(streak, recipient, refusals=0)
    return streak


def test_so_many_distinct_recipients_in_a_row_are_the_channel_s_fault() -> None:
    assert not refuse(UNTRIED, "a", "b").is_channel
    assert not refuse(UNTRIED, "a", "b", "a", "b", "a").is_channel
    assert refuse(UNTRIED, "a", "b", "c").is_channel
    assert len(refuse(UNTRIED, *"abcdefgh").recipients) == MIN_DISTINCT_RECIPIENTS


def test_a_recipient_who_was_refused_before_says_nothing_new() -> None:
    streak = refuse(SERVING, "a", "b")
    for recipient in "cdefg":
        streak = add_refusal(streak, recipient, refusals=1)
    assert streak == refuse(SERVING, "a", "b")


def test_who_is_served_no_more_is_not_said_to_serve() -> None:
    assert refuse(SERVING, "a", "b").serves
    assert not refuse(SERVING, "a", "b", "c").serves
    assert not refuse(UNTRIED, "a").serves


def test_a_provider_that_calls_one_after_the_other_dead_is_not_believed_for_ever() -> None:
    streak: RefusalStreak | None = refuse(UNTRIED, "x")
    for recipient in "aabcba":
        assert streak is not None
        streak = add_gone(streak, recipient)
    assert streak is not None
    assert (streak.gone, streak.recipients) == (frozenset("abc"), frozenset("x"))
    assert len(streak.gone) == GONE_RECIPIENTS
    assert add_gone(streak, "d") is None
    assert add_gone(streak, "a") == streak
    assert refuse(streak, "y", "z").gone == streak.gone
    assert add_gone(SERVING, "d") is not None


@given(st.integers(0, 10**6), st.booleans())
def test_a_hold_grows_with_each_refusal_up_to_its_bound(refusals: int, serves: bool) -> None:
    first, next_ = (hold_time(refusals + more, serves=serves) for more in (0, 1))
    assert FIRST_HOLD_S <= first <= next_ <= (MAX_HOLD_S if serves else MAX_HOLD_UNSERVED_S)
    assert next_ == min(2 * first, MAX_HOLD_S if serves else MAX_HOLD_UNSERVED_S)
    assert hold_time(0, serves=serves) == FIRST_HOLD_S
