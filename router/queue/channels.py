"""Channels as an operator sees them: what holds them, and what waits."""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, Double, Text, bindparam, case, func, literal, select, union_all

from router.core.model.daily_cap import day_of, end_of
from router.queue.daily_counts import is_reached
from router.queue.ports import ALL_CHANNELS, Cause, ChannelHold, ChannelStats, Queue
from router.store.schema.state_tables import daily_counts
from router.store.schema.tables import deliveries, holds, is_in_line, is_parked, is_sending


class HoldItem(Struct, frozen=True, kw_only=True):
    """Why a channel is held: by its provider, by failures, by an operator, or by its daily cap.

    That is `suspended`, `open`, `paused` or, with all other channels, `stopped`, and `cap`.
    `host` is empty where the whole channel is held. `until` is an epoch second, None: until it is
    resumed.
    """

    cause: Cause
    host: str
    until: float | None


class ChannelItem(Struct, frozen=True, kw_only=True):
    """A channel, what holds it, and how many deliveries are open.

    `configured` is false of one that the rules in force no longer name. `due` ones go out as soon
    as the channel lets them, `waiting` ones later. Times are epoch seconds.
    """

    name: str
    configured: bool
    holds: tuple[HoldItem, ...]
    due: int
    waiting: int
    sending: int
    oldest_due_at: float | None


async def list_channels(queue: Queue, names: Iterable[str], now: float) -> tuple[ChannelItem, ...]:
    """Return the channels by name: those configured, and others that are held or have deliveries.

    `names` are those configured.
    """
    configured = set(names)
    holds = await queue.holds(now=now)
    stats = await queue.stats(now=now)
    named = {held.channel for held in holds if held.channel != ALL_CHANNELS}
    return tuple(
        _item(
            name,
            name in configured,
            [held for held in holds if held.channel in {name, ALL_CHANNELS}],
            stats.get(name, ChannelStats()),
        )
        for name in sorted({*configured, *stats, *named})
    )


async def is_stopped(queue: Queue, now: float) -> bool:
    """Return whether an operator holds all channels."""
    return any(held.channel == ALL_CHANNELS for held in await queue.holds(now=now))


async def stop_sending(queue: Queue) -> None:
    """Hold all channels, those that are configured later too, until `start_sending`."""
    await queue.pause(ALL_CHANNELS, cause="stopped", until=math.inf)


async def start_sending(queue: Queue) -> None:
    """Hold all channels no longer; those that something else holds stay held."""
    await queue.resume(ALL_CHANNELS)


def _item(
    name: str,
    configured: bool,  # noqa: FBT001 - a field of the item
    holds: Sequence[ChannelHold],
    stats: ChannelStats,
) -> ChannelItem:
    return ChannelItem(
        name=name,
        configured=configured,
        holds=tuple(
            HoldItem(
                cause=held.cause,
                host=held.host,
                until=None if math.isinf(held.until) else held.until,
            )
            for held in holds
        ),
        due=stats.due,
        waiting=stats.waiting,
        sending=stats.sending,
        oldest_due_at=stats.oldest_due_at,
    )


_row = deliveries.c
_open = union_all(
    select(_row.channel, _row.due_at, literal(0).label("sent")).where(is_in_line),
    select(_row.channel, _row.due_at, literal(0)).where(is_parked),
    select(_row.channel, _row.due_at, literal(1)).where(is_sending),
).subquery()
_is_due = (_open.c.sent == 0) & (_open.c.due_at <= bindparam("now"))
_is_later = (_open.c.sent == 0) & (_open.c.due_at > bindparam("now"))
_counts = select(
    _open.c.channel,
    func.sum(case((_is_due, 1), else_=0)).label("due"),
    func.sum(case((_is_later, 1), else_=0)).label("waiting"),
    func.sum(_open.c.sent).label("sending"),
    func.min(case((_is_due, _open.c.due_at))).label("oldest"),
).group_by(_open.c.channel)


def count_open(connection: Connection, now: float) -> dict[str, ChannelStats]:
    """Return how many deliveries are open by channel."""
    return {
        row.channel: ChannelStats(
            due=row.due, waiting=row.waiting, sending=row.sending, oldest_due_at=row.oldest
        )
        for row in connection.execute(_counts, {"now": now})
    }


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
