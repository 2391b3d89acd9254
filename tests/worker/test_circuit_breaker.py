"""When a provider is left alone, and when it is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.worker.circuit_breaker import (
    CLOSED,
    FIRST_OPEN_S,
    MAX_FAILURES,
    MAX_OPEN_S,
    MAX_RETRY_AFTER_S,
    MAX_THROTTLES,
    CircuitBreaker,
    ProviderHealth,
    assess_health,
    open_breaker,
    update_breaker,
)

NOW = 1000.0
ILL: ProviderHealth = "ill"


def after(
    breaker: CircuitBreaker, *healths: ProviderHealth, now: float = NOW, **fields: float
) -> CircuitBreaker:
    """Return the breaker after sends that began and ended now."""
    asked = fields.get("asked")
    dice = fields.get("dice", 0.5)
    for health in healths:
        breaker = update_breaker(breaker, health, began=now, now=now, after=asked, dice=dice)
    return breaker


@pytest.mark.parametrize(
    ("outcome", "health"),
    [
        (Delivered(), "well"),
        (Rejected(status=404, reason="no such number"), "well"),
        (Rejected(reason="no request could be made"), "unclear"),
        (Retry(status=503, reason="busy"), "ill"),
        (Retry(reason="refused"), "ill"),
        (Retry(status=429, reason="slow down"), "throttled"),
        (Retry(status=200, reason="slow down", throttled=True), "throttled"),
        (Unknown(reason="no answer"), "ill"),
        (Suspend(status=401, reason="key"), "unclear"),
    ],
)
def test_an_outcome_says_how_the_provider_is(outcome: Outcome, health: ProviderHealth) -> None:
    assert assess_health(outcome) == health


def test_it_opens_after_failures_in_a_row_and_a_success_in_between_starts_anew() -> None:
    nearly = after(CLOSED, *[ILL] * (MAX_FAILURES - 1))
    assert nearly.slots(8, NOW) == 8
    assert after(nearly, "well") == CLOSED
    assert after(nearly, "unclear") == nearly
    assert after(nearly, "ill").slots(8, NOW) == 0


def test_a_provider_that_asks_for_fewer_requests_is_left_alone_sooner_and_as_long_as_asked() -> (
    None
):
    one = after(CLOSED, "throttled", asked=20)
    assert one.slots(8, NOW) == 8
    assert MAX_THROTTLES == 2
    assert after(one, "throttled", asked=20).until == NOW + 20
    assert after(one, "throttled", asked=1e9).until == NOW + MAX_RETRY_AFTER_S


def test_one_goes_when_the_rest_is_over_and_its_end_decides() -> None:
    opened = after(CLOSED, *[ILL] * MAX_FAILURES, dice=0.0)
    assert opened.until == NOW + FIRST_OPEN_S / 2
    assert opened.slots(8, opened.until) == 1
    assert opened.slots(0, opened.until) == 0
    assert after(opened, "well", now=opened.until) == CLOSED
    again = after(opened, "ill", now=opened.until, dice=0.0, asked=1)
    assert again.until == opened.until + FIRST_OPEN_S
    asked = after(opened, "throttled", now=opened.until, asked=60)
    assert asked.until == opened.until + 60


def test_what_was_sent_before_it_opened_says_nothing_new() -> None:
    opened = after(CLOSED, *[ILL] * MAX_FAILURES)
    late = opened.until + 10
    for outcome in (Delivered(), Unknown(reason="no answer"), Retry(status=429, reason="slow")):
        health = assess_health(outcome)
        began = opened.until - 1
        assert update_breaker(opened, health, began=began, now=late, after=None, dice=0.5) is opened


def test_it_may_be_opened_from_outside_and_the_later_time_counts() -> None:
    opened = open_breaker(CLOSED, NOW + 60)
    assert opened.slots(8, NOW + 59) == 0
    assert opened.slots(8, NOW + 60) == 1
    assert open_breaker(opened, NOW + 30) == opened


healths = st.sampled_from(["well", "ill", "throttled", "unclear"])
asks = st.none() | st.floats(0, 1e6)
dices = st.floats(0, 1, exclude_max=True)


@given(
    story=st.lists(st.tuples(healths, st.floats(0, 400), st.floats(0, 30), asks, dices)),
    most=st.integers(1, 64),
)
def test_laws(
    story: list[tuple[ProviderHealth, float, float, float | None, float]], most: int
) -> None:
    breaker, now = CLOSED, NOW
    for health, pause, takes, asked, dice in story:
        now += pause
        slots = breaker.slots(most, now)
        assert slots in ({0, 1} if breaker.trips else {most})
        if slots == 0:
            assert 0 < breaker.until - now <= max(MAX_OPEN_S, MAX_RETRY_AFTER_S) + 1e-6
            assert breaker.slots(most, breaker.until) == 1, "it lets one through in the end"
            now = breaker.until
        began, now = now, now + takes
        before = breaker
        breaker = update_breaker(before, health, began=began, now=now, after=asked, dice=dice)
        if health == "well":
            assert breaker == CLOSED
        if health in {"ill", "throttled"} and before.trips:
            rest = breaker.until - now
            assert breaker.trips == before.trips + 1
            assert rest >= FIRST_OPEN_S / 2
            assert rest <= max(MAX_OPEN_S, min(asked or 0, MAX_RETRY_AFTER_S)) + 1e-6
        if health == "unclear":
            assert breaker is before


@given(trips=st.integers(1, 10_000), dice=dices)
def test_rests_grow_and_stay_bounded(trips: int, dice: float) -> None:
    opened = CircuitBreaker(failures=trips, trips=trips, until=NOW)
    rest = after(opened, "ill", dice=dice).until - NOW
    longer = after(
        CircuitBreaker(failures=trips, trips=trips + 1, until=NOW), "ill", dice=dice
    ).until
    assert FIRST_OPEN_S / 2 <= rest <= longer - NOW <= MAX_OPEN_S
