"""Counting what is open."""

from sqlalchemy import Connection, bindparam, case, func, literal, select, union_all

from router.queue.ports import ChannelStats
from router.store.schema.tables import deliveries, is_in_line, is_parked, is_sending

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
