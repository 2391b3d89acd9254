"""Which rules match, counted in memory until it is written."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from router.core.model.facts import DecisionState
from router.core.model.notification import Notification
from router.core.rules.ruleset import Ruleset
from router.core.simulate.explain import find_near_misses
from router.store.errors import StoreUnavailable
from router.store.log.rule_stats import RuleCount

WRITE_INTERVAL_S = 10.0
"""Seconds between two writes."""
NEAR_MISS_INTERVAL_S = 1.0
"""Seconds between two notifications that are looked at for near misses."""

Add = Callable[[Sequence[RuleCount]], Awaitable[None]]

_log = structlog.get_logger(__name__)


class RuleMatchCounter:
    """Counts matches and near misses; `run` writes them again and again, `write` at the end."""

    def __init__(self, add: Add) -> None:
        """Have counted nothing; `add` keeps the counts."""
        self._add = add
        self._matches: Counter[str] = Counter()
        self._near: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._sampled_at = float("-inf")

    def note(
        self,
        notification: Notification,
        matched: Iterable[str],
        ruleset: Ruleset,
        facts: DecisionState,
        now: float,
    ) -> None:
        """Count the rules that matched, and now and then those that nearly did."""
        for rule in matched:
            self._matches[rule] += 1
            self._last[rule] = now
        if not 0 <= now - self._sampled_at < NEAR_MISS_INTERVAL_S:
            self._sampled_at = now
            self._near.update(find_near_misses(notification, ruleset, facts, now))

    async def run(self, pause: float = WRITE_INTERVAL_S) -> None:
        """Write what was counted, until cancelled."""
        while True:
            await asyncio.sleep(pause)
            await self.write()

    async def write(self) -> None:
        """Write what was counted since the last time; where that fails it counts further on."""
        matches, near, last = self._matches, self._near, self._last
        self._matches, self._near, self._last = Counter(), Counter(), {}
        counts = [
            RuleCount(
                rule=rule,
                matches=matches[rule],
                near_misses=near[rule],
                last_at=last.get(rule, 0.0),
            )
            for rule in matches.keys() | near.keys()
        ]
        try:
            await self._add(counts)
        except StoreUnavailable as error:
            _log.warning("rule counts not written, retrying", error=str(error))
            self._matches.update(matches)
            self._near.update(near)
            self._last = last | self._last
