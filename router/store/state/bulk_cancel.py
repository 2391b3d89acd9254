"""Cancelling open deliveries in bulk: counted first, then ended in bounded transactions."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)

from router.core.model.unless import BY_OPERATOR
from router.store.db.database import Database
from router.store.log.filters import CancelFilter, of_deliveries
from router.store.recipients.erasure import run_paced
from router.store.schema.tables import deliveries, is_sending, is_waiting, notifications
from router.store.state.cancellation import ENDING, end_deliveries

CANCELLED_PER_TRANSACTION = 200
"""How many deliveries one transaction cancels."""

RECALL_PATIENCE_S = 2.0
"""Seconds that the processes which hold deliveries in memory get to give them up."""

RECALL_POLL_S = 0.1
"""Seconds between two looks whether they did."""

Recall = Callable[[Collection[str]], None]
"""Told at once of leased deliveries that are cancelled, in the process that may hold them."""

ReportCancelled = Callable[[int], None]
"""Told after each step how many are done so far."""

_Condition = ColumnElement[bool]


class OpenCount(Struct, frozen=True, kw_only=True):
    """How many deliveries of a rule over a channel are open: waiting, or leased to be sent."""

    channel: str
    rule: str
    waiting: int
    sending: int


class BulkCancelResult(Struct, frozen=True, kw_only=True):
    """What became of a bulk cancellation.

    `cancelled` is how many it ended. `in_flight` is how many were being sent when it came to them:
    such a send ends as it may, and is not tried again.
    """

    cancelled: int
    in_flight: int


_row = deliveries.c


class _OpenState(NamedTuple):
    """A state in which deliveries are open: its name, its condition, and their id."""

    state: str
    is_open: _Condition
    id: ColumnElement[str]


_LEASED = _OpenState(
    "sending",
    and_(is_sending, _row.cancel_requested == literal_column("0")),
    # Not the bare column: SQLite would walk the whole log by it, not the few that are sent.
    _row.id.concat(literal_column("''")),
)
# With a range of ids, though every id is in it, SQLite takes the index that holds all it asks for.
_WAITING = _OpenState(
    "waiting", and_(is_waiting, _row.id > literal_column("''")), _row.id.expression
)
_OPEN_STATES = (_LEASED, _WAITING)

_ids = _row.id.in_(bindparam("ids", expanding=True))
_open = (
    select(*ENDING, _row.state)
    .where(_ids, or_(is_waiting, is_sending))
    .order_by(_row.id)
    .with_for_update()
)
_request = update(deliveries).where(_ids).values(cancel_requested=1)
_states = select(_row.state).where(_ids)


class BulkCancel:
    """Cancels what is open in a database, whoever works on it.

    A waiting delivery ends at once. One that is leased is marked: the process that holds it gives
    it up within a poll unless it is being sent, and one that is being sent is not tried again.
    """

    def __init__(
        self,
        database: Database,
        recall: Recall = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._recall = recall
        self._clock = clock

    async def count(self, which: CancelFilter) -> tuple[OpenCount, ...]:
        """Return how many there are to cancel, by channel and rule."""
        return await self._database.read(partial(_count, which=which))

    async def cancel(
        self,
        which: CancelFilter,
        *,
        most: float = math.inf,
        progress: ReportCancelled = lambda _: None,
    ) -> BulkCancelResult:
        """Cancel those that are open now, the oldest first, until `most` were.

        What is accepted first goes first, so that sending does not overtake the cancellation.
        Returns when the processes that held some gave them up, or had `RECALL_PATIENCE_S` to.
        """
        last = await self._database.read(partial(_last_open_id, which=which))
        done, recalled, is_over = 0, list[str](), last is None
        while not is_over and done < most:
            is_over = True
            for stage in _OPEN_STATES:
                after = ""
                while ids := await self._next(
                    which, stage, after, last, min(CANCELLED_PER_TRANSACTION, most - done)
                ):
                    is_over, after = False, ids[-1]
                    work = partial(_cancel, ids=ids, now=self._clock())
                    ended, leased = await run_paced(self._database, work)
                    if leased:
                        recalled += leased
                        self._recall(leased)
                    done += ended + len(leased)
                    progress(done)
        in_flight = await self._wait_for(recalled)
        return BulkCancelResult(cancelled=done - in_flight, in_flight=in_flight)

    async def _next(
        self, which: CancelFilter, stage: _OpenState, after: str, last: str | None, most: float
    ) -> Sequence[str]:
        if most <= 0:
            return ()
        query = _select(which, stage).where(stage.id > after, stage.id <= last)
        query = query.order_by(stage.id).limit(int(most))
        return await self._database.read(lambda c: c.execute(query).scalars().all())

    async def _wait_for(self, recalled: Sequence[str]) -> int:
        """Return how many of the recalled could not be called back, when it is time to answer."""
        ends_at = time.monotonic() + RECALL_PATIENCE_S
        while True:
            states = await self._database.read(partial(_read_states, ids=recalled))
            if not states["sending"] or time.monotonic() >= ends_at:
                return len(recalled) - states["cancelled"]
            await asyncio.sleep(RECALL_POLL_S)


def _joined_tables(which: CancelFilter) -> FromClause:
    """Return deliveries, with notifications beside them where something is asked of those."""
    if (which.recipient, which.app_id, which.since, which.until) == (None, None, None, None):
        return deliveries
    return deliveries.join(notifications, notifications.c.id == _row.notification)


def _select(which: CancelFilter, stage: _OpenState) -> Select[Any]:
    query = select(_row.id).select_from(_joined_tables(which))
    return query.where(*_conditions(which, stage))


def _conditions(which: CancelFilter, stage: _OpenState) -> Iterator[_Condition]:
    yield stage.is_open
    yield from of_deliveries(which, stage.id)


def _last_open_id(connection: Connection, *, which: CancelFilter) -> str | None:
    """Return the greatest id of those that are open, or the cancellation might never end."""
    newest = (_select(which, stage).order_by(stage.id.desc()).limit(1) for stage in _OPEN_STATES)
    ids = [connection.execute(query).scalar() for query in newest]
    return max((id_ for id_ in ids if id_ is not None), default=None)


def _count(connection: Connection, *, which: CancelFilter) -> tuple[OpenCount, ...]:
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for stage in _OPEN_STATES:
        query = (
            select(_row.channel, _row.rule, func.count())
            .select_from(_joined_tables(which))
            .where(*_conditions(which, stage))
            .group_by(_row.channel, _row.rule)
        )
        rows = connection.execute(query)
        counts[stage.state] = Counter({(row[0], row[1]): row[2] for row in rows})
    return tuple(
        OpenCount(
            channel=channel, rule=rule, **{state: counts[state][channel, rule] for state in counts}
        )
        for channel, rule in sorted(set().union(*counts.values()))
    )


def _cancel(connection: Connection, *, ids: Sequence[str], now: float) -> tuple[int, list[str]]:
    """End those that wait and mark those that are leased; return how many, and which."""
    rows = connection.execute(_open, {"ids": ids}).all()
    waiting = [row for row in rows if row.state == "waiting"]
    leased = [row.id for row in rows if row.state == "sending"]
    end_deliveries(connection, waiting, "cancelled", BY_OPERATOR, now)
    if leased:
        connection.execute(_request, {"ids": leased})
    return len(waiting), leased


def _read_states(connection: Connection, *, ids: Sequence[str]) -> Counter[str]:
    states: Counter[str] = Counter()
    for start in range(0, len(ids), CANCELLED_PER_TRANSACTION):
        rows = connection.execute(_states, {"ids": ids[start : start + CANCELLED_PER_TRANSACTION]})
        states.update(row.state for row in rows)
    return states
