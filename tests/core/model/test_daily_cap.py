"""Daily caps: how they are written, and when a day begins."""

import pytest

from router.core.model.daily_cap import day_of, end_of, parse_cap
from tests.core.rulesets import rulebook

MIDNIGHT = 1_800_057_600.0
"""2027-01-16T00:00:00Z."""


@pytest.mark.parametrize(("text", "limit"), [("5000/day", 5000), ("1/day", 1), ("", 0)])
def test_a_cap_is_a_number_of_sends(text: str, limit: int) -> None:
    assert parse_cap(text) == limit


def test_a_day_begins_at_midnight_of_utc() -> None:
    assert MIDNIGHT % 86400 == 0
    day = day_of(MIDNIGHT)
    assert day_of(MIDNIGHT - 0.001) == day - 1
    assert day_of(MIDNIGHT + 86399.9) == day
    assert end_of(day) == MIDNIGHT + 86400


def test_an_app_has_the_cap_that_the_file_gives_it() -> None:
    ruleset = rulebook("apps: {one: {cap: 1000/day}, second: {country: GB}}\nrules: []")
    assert ruleset.apps["one"].cap == 1000
    assert ruleset.apps["second"].cap == 0
