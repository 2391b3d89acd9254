"""When the summary of a throttle goes out."""

import pytest

from tests.core.decision_sequence import Play
from tests.core.notifications import NOON


@pytest.mark.parametrize(
    ("quiet", "state", "seconds"),
    [("lunch", "waiting", 3600), ("{hours: lunch, mode: drop}", "suppressed", 0)],
)
def test_a_summary_keeps_to_the_quiet_hours_in_which_its_window_closes(
    quiet: str, state: str, seconds: float
) -> None:
    play = Play(
        'hours: {lunch: {from: "12:01", to: "13:00"}}\n'
        "rules: [{name: all, throttle: {max: 1, per: 1m, overflow: summary}, "
        f"send: [{{channel: room, quiet: {quiet}}}]}}]"
    )
    play.tag(1)
    (summary,) = play.tag(2)
    assert summary.state == state
    if state == "waiting":
        assert summary.due_at == NOON + seconds
    else:
        assert summary.reason == "quiet: lunch"
        (counter,) = play.facts.counters.values()
        assert (counter.closes_at, counter.count, counter.summaries) == (NOON + 60, 1, ())


def test_a_summary_waits_its_time_after_the_window_has_closed() -> None:
    play = Play(
        "rules: [{name: all, throttle: {max: 1, per: 1m, overflow: summary}, "
        "send: [{channel: room, after: 10m, expires: 1h}]}]"
    )
    for number in range(3):
        play.tag(number)
    (summary,) = play.summaries()
    assert (summary.due_at, summary.expires_at) == (NOON + 660, NOON + 660 + 3600)
