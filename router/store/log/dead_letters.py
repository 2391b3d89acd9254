"""Dead letters: what reached no provider and waits for a person."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, Protocol

from msgspec import Struct, field
from sqlalchemy import Connection, Select, func, literal, select, union_all, update

from router.core.model.delivery import mask
from router.core.model.notification import DAY_S
from router.store.db.database import Database
from router.store.log.filters import CommonFilter, column_conditions, notification_conditions
from router.store.log.pagination import DEFAULT_PAGE_ITEMS, Page, cut, read_cursor
from router.store.schema.rows import AnyRow
from router.store.schema.tables import deliveries, is_dead, is_undecidable, notifications
from router.store.state.rollup import update_notification_states

DeadState = Literal["dead", "expired", "undecidable"]

ReportProgress = Callable[[int], None]
"""Told after each step how many are done so far."""


class DeadLetterUpdate(Protocol):
    """Changes dead letters, and returns how many."""

    def __call__(self, connection: Connection, *, ids: Sequence[str]) -> int:
        """Change those of the ids that are dead letters."""


CHANGED_PER_TRANSACTION = 200
"""How many dead letters one transaction changes."""

RETRIED_LIFETIME_S = DAY_S
"""Seconds that a delivery lives again when a person retries it."""


class DeadLetterFilter(CommonFilter, frozen=True, kw_only=True):
    """Which dead letters to take; None lets all pass. Times are epoch seconds of acceptance."""

    state: DeadState | None = None
    channel: str | None = None
    rule: str | None = None
    reason: str | None = None


ALL = DeadLetterFilter()


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A dead delivery, or a notification that could not be decided.

    `id` is the delivery's, or the notification's own when `state` is `undecidable`; rule,
    channel and address (masked) are empty then. Times are epoch seconds.
    """

    id: str
    notification: str
    state: DeadState
    reason: str
    rule: str
    channel: str
    address: str
    attempts: int
    recipient: str
    app_id: str = field(name="appId")
    accepted_at: float


class DeadLetters:
    """The dead letters of a database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._clock = clock

    async def list(
        self,
        filter: DeadLetterFilter = ALL,  # noqa: A002 - what it is
        limit: int = DEFAULT_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> Page[DeadLetter]:
        """Return a page of dead letters, newest first; raises `CursorInvalid`."""
        query = _select(filter, below=read_cursor(cursor)).limit(limit + 1)
        rows = await self._rows(query)
        return cut([_read(row) for row in rows], limit, lambda letter: letter.id)

    async def count(self, filter: DeadLetterFilter = ALL) -> int:  # noqa: A002 - what it is
        """Return how many there are."""
        query = select(func.count()).select_from(_select(filter).subquery())
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    async def get(self, id: str) -> DeadLetter | None:
        """Return one dead letter; None when there is none by that id."""
        rows = await self._rows(_select(ALL, ids=[id]))
        return _read(rows[0]) if rows else None

    async def retry(
        self, which: Sequence[str] | DeadLetterFilter, progress: ReportProgress | None = None
    ) -> int:
        """Make them due now, and return how many those were.

        A delivery keeps its id and attempts and lives another day; a notification that could
        not be decided is decided again.
        """
        now = self._clock()
        return await self._change(which, partial(_retry, now=now), progress)

    async def drop(
        self, which: Sequence[str] | DeadLetterFilter, progress: ReportProgress | None = None
    ) -> int:
        """Close them for good as `dropped_by_operator`, and return how many those were."""
        return await self._change(which, _drop, progress)

    async def _change(
        self,
        which: Sequence[str] | DeadLetterFilter,
        change: DeadLetterUpdate,
        progress: ReportProgress | None,
    ) -> int:
        done = 0
        async for step in self._steps(which):
            done += await self._database.write(partial(change, ids=step))
            if progress is not None:
                progress(done)
        return done

    async def _steps(self, which: Sequence[str] | DeadLetterFilter) -> AsyncIterator[Sequence[str]]:
        if not isinstance(which, DeadLetterFilter):
            for start in range(0, len(which), CHANGED_PER_TRANSACTION):
                yield which[start : start + CHANGED_PER_TRANSACTION]
            return
        below: str | None = None
        while True:
            rows = await self._rows(_select(which, below=below).limit(CHANGED_PER_TRANSACTION))
            if not rows:
                return
            below = rows[-1].id
            yield [row.id for row in rows]

    async def _rows(self, query: Select[Any]) -> Sequence[AnyRow]:
        return await self._database.read(lambda connection: connection.execute(query).all())


def _select(
    wanted: DeadLetterFilter, *, below: str | None = None, ids: Sequence[str] | None = None
) -> Select[Any]:
    """Return the query for dead letters, newest first: deliveries and notifications in one."""
    row, about = deliveries.c, notifications.c
    dead = (
        select(*(row.id, row.notification, row.state, row.reason, row.rule, row.channel))
        .add_columns(row.address, row.attempts, about.uid, about.app_id, about.accepted_at)
        .join(notifications, about.id == row.notification)
        .where(is_dead)
        .where(*column_conditions((row.state, wanted.state), (row.channel, wanted.channel)))
        .where(*column_conditions((row.rule, wanted.rule), (row.reason, wanted.reason)))
        .where(*notification_conditions(wanted, row.id))
    )
    none = literal("")
    undecidable = (
        select(*(about.id, about.id, about.state, about.reason, none, none))
        .add_columns(none, literal(0), about.uid, about.app_id, about.accepted_at)
        .where(is_undecidable)
        .where(
            *column_conditions(
                (about.state, wanted.state), (none, wanted.channel), (none, wanted.rule)
            )
        )
        .where(
            *column_conditions((about.reason, wanted.reason)),
            *notification_conditions(wanted, about.id),
        )
    )
    if below is not None:
        dead, undecidable = dead.where(row.id < below), undecidable.where(about.id < below)
    if ids is not None:
        dead, undecidable = dead.where(row.id.in_(ids)), undecidable.where(about.id.in_(ids))
    both = union_all(dead, undecidable).subquery()
    return select(both).order_by(both.c.id.desc())


def _read(row: AnyRow) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        notification=row.notification,
        state=row.state,
        reason=row.reason,
        rule=row.rule,
        channel=row.channel,
        address=mask(row.address),
        attempts=row.attempts,
        recipient=row.uid,
        app_id=row.app_id,
        accepted_at=row.accepted_at,
    )


def _retry(connection: Connection, *, ids: Sequence[str], now: float) -> int:
    due = {"due_at": now, "expires_at": now + RETRIED_LIFETIME_S, "handouts": 0}
    waiting = {"state": "waiting", "reason": "", **due}
    accepted = {"state": "accepted", "reason": "", "decided_at": None}
    return _update_dead(connection, ids, waiting, accepted)


def _drop(connection: Connection, *, ids: Sequence[str]) -> int:
    reason = "dropped_by_operator"
    return _update_dead(
        connection,
        ids,
        {"state": "cancelled", "reason": reason},
        {"state": "dropped", "reason": reason},
    )


def _update_dead(
    connection: Connection,
    ids: Iterable[str],
    delivery: dict[str, Any],
    notification: dict[str, Any],
) -> int:
    """Change those of the ids that are dead letters; return how many those were."""
    these = (is_dead, deliveries.c.id.in_(ids))
    about = connection.execute(select(deliveries.c.notification).where(*these)).scalars().all()
    connection.execute(update(deliveries).where(*these).values(**delivery))
    update_notification_states(connection, about)
    undecided = update(notifications).where(is_undecidable, notifications.c.id.in_(ids))
    return len(about) + connection.execute(undecided.values(**notification)).rowcount
