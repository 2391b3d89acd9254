"""Holds of channels that are in force: the written ones, and daily caps that are reached."""

from sqlalchemy import Connection, Double, Text, bindparam, literal, select, union_all

from router.core.model.daily_cap import day_of, end_of
from router.queue.daily_counts import is_reached
from router.queue.ports import ChannelHold
from router.store.schema.state_tables import daily_counts
from router.store.schema.tables import holds

_capped = select(
    daily_counts.c.name,
    literal("cap", Text),
    literal("", Text),
    bindparam("end_of_day", type_=Double),
).where(
    daily_counts.c.day == bindparam("today"), daily_counts.c.scope == literal("channel"), is_reached
)
_in_force = union_all(select(holds).where(holds.c.until > bindparam("now")), _capped)


def read_holds(connection: Connection, now: float) -> list[ChannelHold]:
    """Return what holds channels and hosts at an epoch second, in the order of their names."""
    today = day_of(now)
    times = {"now": now, "today": today, "end_of_day": end_of(today)}
    rows = connection.execute(_in_force, times)
    return [
        ChannelHold(channel=channel, cause=cause, host=host, until=until)
        for channel, cause, host, until in sorted(tuple(row) for row in rows)
    ]
