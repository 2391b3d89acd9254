from typing import get_args

from router.core.conditions.payload_shapes import number_shapes
from router.core.model.feed import FEEDS, TRIGGERS, Feed


def test_every_feed_has_a_format_and_a_trigger_of_its_own() -> None:
    assert set(FEEDS) == set(get_args(Feed)) == set(TRIGGERS.values())


def test_a_rule_can_match_payloads_of_every_feed() -> None:
    assert {situation[0] for situation in number_shapes()} == set(FEEDS)
