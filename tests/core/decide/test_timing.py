from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from router.core.decide.decide import Decision
from router.core.decide.timing import TOO_OLD_REASON
from router.core.model.facts import Recipient
from router.core.model.notification import Notification
from tests.core.notifications import NOON, call, push
from tests.core.rulesets import ANN, decided

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NIGHT = """
timezone: Europe/Berlin
hours: {night: {from: "22:00", to: "07:00", timezone: recipient}}
rules: [{name: all, send: [%s]}]
"""
TOKYO = replace(ANN, timezone="Asia/Tokyo")
"""Where it is 21:00 at noon, UTC; in Berlin it is 13:00."""


def told(
    notification: Notification, step: str, *recipients: Recipient, now: float = NOON
) -> tuple[str, str, float, float]:
    """Return the state and reason of a step's first delivery; due and expiry from noon on."""
    planned = decided(notification, NIGHT % step, *(recipients or (TOKYO,)), now=now).deliveries[0]
    return planned.state, planned.reason, planned.due_at - NOON, planned.expires_at - NOON


def aged(seconds: float, of: Notification) -> Notification:
    return replace(of, sent_at=NOON - seconds)


def test_noon_is_what_the_tests_take_it_for() -> None:
    assert datetime.fromtimestamp(NOON, UTC).isoformat() == "2025-03-13T12:00:00+00:00"


def test_a_step_without_words_on_time_goes_now_and_counts_from_when_it_happened() -> None:
    assert told(aged(MINUTE, push()), "app") == ("waiting", "", 0, DAY - MINUTE)
    assert told(aged(10.0, call()), "app") == ("waiting", "", 0, 35)


def test_after_counts_from_the_acceptance_and_expiry_from_when_it_is_due() -> None:
    step = "{channel: app, after: 10m}"
    assert told(push(), step) == ("waiting", "", 600, 600 + DAY)
    assert told(aged(HOUR, push()), step) == ("waiting", "", 600, 600 + DAY)
    assert told(push(), step, now=NOON + 4 * MINUTE) == ("waiting", "", 600, 600 + DAY)
    late = told(push(), step, now=NOON + HOUR)
    assert late == ("waiting", "", HOUR, HOUR + DAY), "it goes at once, and gets its whole time"
    assert told(push(), "{channel: app, after: 10m, expires: 1h}") == ("waiting", "", 600, 4200)
    assert told(call(), "{channel: app, after: 20s}") == ("waiting", "", 20, 65)


def test_what_is_too_old_when_it_is_planned_is_not_made_young_by_waiting() -> None:
    late = NOON + 66
    assert told(call(), "{channel: app, after: 20s}", now=late)[:2] == ("expired", TOO_OLD_REASON)
    night = "{channel: app, quiet: night}"
    assert told(push(), night, now=NOON + DAY + HOUR)[:2] == ("expired", TOO_OLD_REASON)


def test_a_step_waits_for_the_end_of_its_quiet_hours_on_the_recipient_s_clock() -> None:
    night, seven = "{channel: app, quiet: night}", 10 * HOUR
    assert told(push(), night) == ("waiting", "", 0, DAY), "it is 21:00"
    assert told(push(), night, now=NOON + HOUR) == ("waiting", "", seven, seven + DAY)
    assert told(push(), night, ANN, now=NOON + HOUR) == ("waiting", "", HOUR, DAY)


def test_the_clock_counts_at_the_time_at_which_a_step_would_go() -> None:
    step = "{channel: app, after: 1h, expires: 2h, quiet: night}"
    assert told(push(), step) == ("waiting", "", 10 * HOUR, 12 * HOUR)
    at_its_end = NOON + 9.5 * HOUR
    late = replace(push(), accepted_at=at_its_end, sent_at=None)
    assert told(late, step, now=at_its_end) == ("waiting", "", 10.5 * HOUR, 12.5 * HOUR)


def test_a_step_can_be_dropped_in_its_quiet_hours() -> None:
    step = "{channel: app, quiet: {hours: night, mode: drop}}"
    assert told(push(), step)[0] == "waiting"
    assert told(push(), step, now=NOON + HOUR)[:2] == ("suppressed", "quiet: night")


def test_a_ring_is_never_deferred() -> None:
    ring = replace(call(), accepted_at=NOON + HOUR, sent_at=None)
    step = "{channel: app, quiet: night}"
    assert told(ring, step, now=NOON + HOUR)[:2] == ("suppressed", "quiet: night")
    missed = replace(call("unanswered"), accepted_at=NOON + HOUR, sent_at=None)
    assert told(missed, step, now=NOON + HOUR)[0] == "waiting"


@pytest.mark.parametrize(("recipient", "keys"), [(TOKYO, 0), (ANN, 1)])
def test_what_is_dropped_for_one_does_not_stand_for_all(recipient: Recipient, keys: int) -> None:
    step = "{channel: room, once_per: message, quiet: {hours: night, mode: drop}}"
    decision: Decision = decided(push(), NIGHT % step, recipient, now=NOON + HOUR)
    assert len(decision.effects.once) == keys
