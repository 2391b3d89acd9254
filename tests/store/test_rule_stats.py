"""How often rules matched, day by day."""

from router.store.db.database import Database
from router.store.log.rule_stats import KEPT_DAYS, DailyRuleStats, RuleCount, complete

DAY = 86400.0
NOON = 1_741_867_200.0


async def test_counts_of_several_writers_add_up_and_the_last_match_is_the_latest(
    database: Database,
) -> None:
    one, other = DailyRuleStats(database, lambda: NOON), DailyRuleStats(database, lambda: NOON)
    await one.add([RuleCount(rule="a", matches=2, near_misses=1, last_at=NOON)])
    await other.add(
        [
            RuleCount(rule="b", matches=0, near_misses=3),
            RuleCount(rule="a", matches=5, near_misses=0, last_at=NOON - 60),
        ]
    )
    assert await one.since(NOON) == [
        RuleCount(rule="a", matches=7, near_misses=1, last_at=NOON),
        RuleCount(rule="b", matches=0, near_misses=3, last_at=0.0),
    ]


async def test_days_are_summed_from_the_one_asked_for_and_go_when_they_are_old(
    database: Database,
) -> None:
    now = NOON
    days = DailyRuleStats(database, lambda: now)
    await days.add([RuleCount(rule="a", matches=1, last_at=now)])
    now += DAY
    await days.add([RuleCount(rule="a", matches=10, last_at=now)])
    assert [count.matches for count in await days.since(NOON)] == [11]
    assert [count.matches for count in await days.since(NOON + DAY)] == [10]
    now = NOON + (KEPT_DAYS + 1) * DAY
    await days.add([RuleCount(rule="b", matches=1, last_at=now)])
    assert [(c.rule, c.matches) for c in await days.since(0)] == [("a", 10), ("b", 1)]
    await days.add([])


def test_rules_that_never_matched_stand_among_the_others_in_their_order() -> None:
    counts = [RuleCount(rule="gone", matches=3), RuleCount(rule="y", matches=1)]
    assert [(c.rule, c.matches) for c in complete(counts, ["x", "y"])] == [
        *(("x", 0), ("y", 1), ("gone", 3)),
    ]
