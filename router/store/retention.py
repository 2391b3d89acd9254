"""What is old goes, in small steps, so that nobody who writes has to wait for long."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, delete, select, tuple_

from router.core.model.daily_cap import day_of
from router.core.model.notification import DAY_S
from router.store.db.database import Database
from router.store.recipients.erasure import DELETED_PER_TRANSACTION, delete_notifications, run_paced
from router.store.schema.ids import first_id_at
from router.store.schema.state_tables import calls, daily_counts, reads, throttles
from router.store.schema.tables import lane_holds, notifications, once, seen

OPEN_STATES = ("accepted", "pending")
"""States in which a notification stays, however old it is."""


class Retention:
    """Forgets what a database need not know any more."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._clock = clock

    async def sweep(self, keep: float) -> int:
        """Delete ended notifications older than `keep` seconds; return how many those were.

        Their bodies, deliveries and attempts go with them, and the once-keys of that time.
        Idempotency keys go when their window has passed, windows of throttles when they closed,
        what was heard of calls and read of conversations after a day: nothing that comes later can
        be about it. So do the refusals of a recipient a day after the last of them, and the counts
        of sends of days before yesterday.
        """
        now = self._clock()
        oldest = first_id_at(now - keep)
        while (
            await run_paced(self._database, partial(_forget_keys, now=now))
            == DELETED_PER_TRANSACTION
        ):
            pass
        while (
            await run_paced(self._database, partial(_forget_once_keys, oldest=oldest))
            == DELETED_PER_TRANSACTION
        ):
            pass
        while (
            await run_paced(self._database, partial(_forget_windows, now=now))
            == DELETED_PER_TRANSACTION
        ):
            pass
        gone, after = 0, ""
        while ids := await self._database.read(partial(_find_ended, after=after, oldest=oldest)):
            await run_paced(self._database, partial(delete_notifications, ids=ids))
            gone, after = gone + len(ids), ids[-1]
        forget_counts = partial(_forget_marks, time_of=daily_counts.c.day, oldest=day_of(now) - 1)
        while await run_paced(self._database, forget_counts) == DELETED_PER_TRANSACTION:
            pass
        for time_of in (calls.c.heard_at, reads.c.read_at, lane_holds.c.until):
            forget = partial(_forget_marks, time_of=time_of, oldest=now - min(keep, DAY_S))
            while await run_paced(self._database, forget) == DELETED_PER_TRANSACTION:
                pass
        return gone


def _find_ended(connection: Connection, after: str, oldest: str) -> Sequence[str]:
    query = (
        select(notifications.c.id)
        .where(notifications.c.id > after, notifications.c.id < oldest)
        .where(notifications.c.state.not_in(OPEN_STATES))
        .order_by(notifications.c.id)
        .limit(DELETED_PER_TRANSACTION)
    )
    return connection.execute(query).scalars().all()


def _forget_keys(connection: Connection, now: float) -> int:
    query = select(seen.c.key).where(seen.c.expires_at <= now).limit(DELETED_PER_TRANSACTION)
    keys = connection.execute(query).scalars().all()
    if keys:
        connection.execute(delete(seen).where(seen.c.key.in_(keys)))
    return len(keys)


def _forget_windows(connection: Connection, now: float) -> int:
    query = (
        select(throttles.c.key).where(throttles.c.closes_at <= now).limit(DELETED_PER_TRANSACTION)
    )
    keys = connection.execute(query).scalars().all()
    if keys:
        connection.execute(delete(throttles).where(throttles.c.key.in_(keys)))
    return len(keys)


def _forget_marks(connection: Connection, time_of: Column[Any], oldest: float) -> int:
    """Delete rows of the table of a column that says how old they are; return how many."""
    columns = time_of.table.primary_key.columns
    rows = connection.execute(
        select(*columns).where(time_of < oldest).limit(DELETED_PER_TRANSACTION)
    ).all()
    if rows:
        keys = tuple_(*columns).in_([tuple(row) for row in rows])
        connection.execute(delete(time_of.table).where(keys, time_of < oldest))
    return len(rows)


def _forget_once_keys(connection: Connection, oldest: str) -> int:
    query = select(once.c.delivery).where(once.c.delivery < oldest).limit(DELETED_PER_TRANSACTION)
    held = connection.execute(query).scalars().all()
    if held:
        connection.execute(delete(once).where(once.c.delivery.in_(held)))
    return len(held)
