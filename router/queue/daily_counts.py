"""Counts of sends by channel and by app for each day, and the daily caps that they reach."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    literal_column,
    select,
    update,
)

from router.core.model.daily_cap import CAPPED, Cap, day_of
from router.queue.ports import DailyCount
from router.store.db.bulk import execute_many
from router.store.db.dialect import insert_or
from router.store.schema.state_tables import daily_counts
from router.store.schema.tables import deliveries, is_waiting, notifications

RELEASED_PER_TRANSACTION = 500
"""Deliveries that one transaction makes due again."""

_row = daily_counts.c
is_reached = and_(_row.cap > 0, _row.sends >= _row.cap, _row.lifted == 0)
"""Whether a row holds what is still to be sent on its day."""
_this = and_(
    _row.day == bindparam("of_day"),
    _row.scope == bindparam("of_scope"),
    _row.name == bindparam("of_name"),
)
_set_cap = update(daily_counts).where(_this).values(cap=bindparam("new_cap"))
_lift = (
    update(daily_counts)
    .where(_row.scope == literal_column("'channel'"), _row.name == bindparam("of_name"), is_reached)
    .values(lifted=1)
)
_capped = (
    select(deliveries.c.id)
    .join(notifications, notifications.c.id == deliveries.c.notification)
    .where(
        is_waiting,
        deliveries.c.reason == literal_column(f"'{CAPPED}'"),
        deliveries.c.due_at > bindparam("now"),
        notifications.c.app_id == bindparam("of_app"),
    )
    .limit(RELEASED_PER_TRANSACTION)
)


def add_counts(connection: Connection, counted: Iterable[tuple[Cap, float]]) -> None:
    """Count sends against caps, each on the day of its time (epoch seconds).

    The rows are written in one order, so that processes that count at once wait for each other
    and never in a circle.
    """
    counts: Counter[tuple[int, str, str]] = Counter()
    limits: dict[tuple[int, str, str], int] = {}
    for cap, time in counted:
        key = (day_of(time), cap.scope, cap.name)
        counts[key] += 1
        limits[key] = cap.limit
    execute_many(
        connection,
        insert_or(connection, daily_counts, _add),
        [
            {"day": key[0], "scope": key[1], "name": key[2], "sends": count, "cap": limits[key]}
            for key, count in sorted(counts.items())
        ],
    )


def read_counts(connection: Connection, now: float) -> Sequence[DailyCount]:
    """Return the counts of the day of `now`."""
    rows = connection.execute(select(daily_counts).where(_row.day == day_of(now)))
    return [
        DailyCount(cap=Cap(row.scope, row.name, row.cap), count=row.sends, lifted=bool(row.lifted))
        for row in rows
    ]


def set_cap(connection: Connection, cap: Cap, now: float) -> None:
    """Replace the cap of a channel or an app on the day of `now`, where it has counted sends."""
    connection.execute(_set_cap, {**_key(cap.scope, cap.name, now), "new_cap": cap.limit})


def lift_cap(connection: Connection, channel: str) -> None:
    """Lift the cap of a channel for the rest of the day on which it is reached."""
    connection.execute(_lift, {"of_name": channel})


def release_capped(connection: Connection, app_id: str, now: float) -> int:
    """Make deliveries due again that wait for the next day because of an app's cap.

    Return how many: fewer than `RELEASED_PER_TRANSACTION` were the last ones.
    """
    ids = connection.execute(_capped, {"of_app": app_id, "now": now}).scalars().all()
    if ids:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(ids), is_waiting)
            .values(due_at=now, reason="")
        )
    return len(ids)


def _key(scope: str, name: str, now: float) -> dict[str, object]:
    return {"of_day": day_of(now), "of_scope": scope, "of_name": name}


def _add(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - SQLAlchemy's `excluded`
    return {"sends": daily_counts.c.sends + row.sends, "cap": row.cap}
