"""Matches are counted in memory and written now and then, near misses of a sample."""

from collections.abc import Sequence

from router.planner.rule_counter import NEAR_MISS_INTERVAL_S, RuleMatchCounter
from router.store.errors import StoreUnavailable
from router.store.log.rule_stats import RuleCount
from tests.core.notifications import NOON, push
from tests.core.rulesets import ANN, rulebook, world

RULES = rulebook("""
rules:
  - {name: chat, when: {type: chat}, send: [app]}
  - {name: near, when: {type: chat, sender: somebody}, send: [room]}
  - {name: far, when: {type: call, sender: somebody}, send: [room]}
""")


class Book:
    """Keeps what is written, unless it is shut."""

    def __init__(self) -> None:
        self.written: list[Sequence[RuleCount]] = []
        self.is_shut = False

    async def add(self, counts: Sequence[RuleCount]) -> None:
        if self.is_shut:
            raise StoreUnavailable("shut")
        self.written.append(sorted(counts, key=lambda count: count.rule))


def note(tally: RuleMatchCounter, at: float) -> None:
    tally.note(push(), ["chat"], RULES, world(ANN), at)


async def test_every_match_is_counted_and_near_misses_of_one_notification_a_second() -> None:
    book = Book()
    tally = RuleMatchCounter(book.add)
    for number in range(4):
        note(tally, NOON + number * NEAR_MISS_INTERVAL_S / 2)
    await tally.write()
    assert book.written == [
        [
            RuleCount(rule="chat", matches=4, last_at=NOON + NEAR_MISS_INTERVAL_S * 1.5),
            RuleCount(rule="near", matches=0, near_misses=2),
        ]
    ]
    await tally.write()
    assert book.written[1] == []


async def test_what_cannot_be_written_is_written_later() -> None:
    book = Book()
    tally = RuleMatchCounter(book.add)
    note(tally, NOON)
    book.is_shut = True
    await tally.write()
    note(tally, NOON + 9)
    book.is_shut = False
    await tally.write()
    assert book.written == [
        [
            RuleCount(rule="chat", matches=2, last_at=NOON + 9),
            RuleCount(rule="near", matches=0, near_misses=2),
        ]
    ]
