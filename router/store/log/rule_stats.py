"""How often rules matched, or nearly, day by day."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, case, delete, func, select

from router.store.db.bulk import execute_many
from router.store.db.database import Database
from router.store.db.dialect import insert_or
from router.store.schema.state_tables import rule_days

KEPT_DAYS = 400
"""For so many days counts are kept."""


class RuleCount(Struct, frozen=True, kw_only=True):
    """What was counted of a rule; `last_at` is when it matched last, 0 for never."""

    rule: str
    matches: int
    near_misses: int = 0
    last_at: float = 0.0


class DailyRuleStats:
    """The counts in a database; the days are those of UTC."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._clock = clock

    async def add(self, counts: Iterable[RuleCount]) -> None:
        """Add what was counted to today's counts, and forget those of long ago."""
        today, oldest = _day(self._clock()), _day(self._clock() - KEPT_DAYS * 86400.0)
        rows = [
            {
                "rule": count.rule,
                "day": today,
                "matches": count.matches,
                "near_misses": count.near_misses,
                "last_at": count.last_at,
            }
            for count in sorted(counts, key=lambda count: count.rule)
        ]

        def write(connection: Connection) -> None:
            execute_many(connection, insert_or(connection, rule_days, _add), rows)
            connection.execute(delete(rule_days).where(rule_days.c.day < oldest))

        if rows:
            await self._database.write(write)

    async def since(self, moment: float) -> Sequence[RuleCount]:
        """Return what was counted of each rule on the day of that moment and later, by name."""
        query = (
            select(
                rule_days.c.rule,
                func.sum(rule_days.c.matches).label("matches"),
                func.sum(rule_days.c.near_misses).label("near_misses"),
                func.max(rule_days.c.last_at).label("last_at"),
            )
            .where(rule_days.c.day >= _day(moment))
            .group_by(rule_days.c.rule)
            .order_by(rule_days.c.rule)
        )

        def read(connection: Connection) -> list[RuleCount]:
            return [
                RuleCount(
                    rule=row.rule,
                    matches=int(row.matches),
                    near_misses=int(row.near_misses),
                    last_at=row.last_at,
                )
                for row in connection.execute(query)
            ]

        return await self._database.read(read)


def complete(counts: Sequence[RuleCount], names: Sequence[str]) -> list[RuleCount]:
    """Return a count for each of the names, 0 where there is none, and then the other counts."""
    by_rule = {count.rule: count for count in counts}
    ours = [by_rule[name] if name in by_rule else RuleCount(rule=name, matches=0) for name in names]
    return [*ours, *(count for count in counts if count.rule not in names)]


def _add(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - the columns of a row
    columns = rule_days.c
    later = case((row.last_at > columns.last_at, row.last_at), else_=columns.last_at)
    return {
        "matches": columns.matches + row.matches,
        "near_misses": columns.near_misses + row.near_misses,
        "last_at": later,
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
