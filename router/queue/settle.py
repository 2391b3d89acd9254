"""Settling: what became of deliveries is written, and what follows from it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, assert_never

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    bindparam,
    case,
    delete,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from router.core.model.retry import (
    Again,
    Cancelled,
    Dead,
    Done,
    Expired,
    Hold,
    NextStep,
    Suppressed,
    counts,
)
from router.core.model.unless import BY_OPERATOR
from router.queue.daily_counts import add_counts
from router.queue.ports import Settlement
from router.store.db.bulk import execute_many
from router.store.db.dialect import MakeAssignments, insert_new, insert_or
from router.store.db.group_commit import WriteOperation, WriteOrder
from router.store.schema.rows import AnyRow, Values, storable_text, write_attempt
from router.store.schema.tables import (
    attempts,
    contacts,
    deliveries,
    holds,
    is_recalled,
    is_sending,
    is_waiting,
    lane_holds,
)
from router.store.state.cancellation import ENDING, apply_endings, cancel_waiting, end_deliveries
from router.store.state.endings import EndedDelivery, note_ended
from router.store.state.rollup import update_notification_states

_row = deliveries.c
_open = (
    select(_row.id, _row.notification, _row.channel, _row.contact, _row.address, _row.lane_hash)
    .add_columns(_row.state, _row.leased_to, _row.due_at, _row.attempts, _row.unless, _row.awaited)
    .add_columns(_row.cancel_requested)
    .add_columns(exists().where(lane_holds.c.lane_hash == _row.lane_hash).label("is_lane_held"))
    .where(_row.id.in_(bindparam("ids", expanding=True)), or_(is_sending, is_waiting))
    .order_by(_row.id)
    .with_for_update()
)

_recalled = (
    select(*ENDING)
    .where(
        is_recalled,
        _row.leased_to == bindparam("owner"),
        _row.id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(_row.id)
    .with_for_update()
)

_changed = ("state", "reason", "due_at", "attempts", "handle")
_move_on = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("which"))
    .values(
        handouts=0,
        lease_until=0.0,
        parked=0,
        cancel_requested=0,
        **{name: bindparam(f"new_{name}") for name in _changed},
    )
)


def settle(
    connection: Connection,
    settlements: Sequence[Settlement],
    *,
    owner: str,
    clock: Callable[[], float],
) -> list[bool]:
    """Write what became of deliveries; return for each whether the owner's lease still held."""
    ids = [settlement.delivery for settlement in settlements]
    rows = {row.id: row for row in connection.execute(_open, {"ids": ids})}
    held: list[bool] = []
    settled: list[tuple[Settlement, AnyRow]] = []
    for settlement in settlements:
        row = rows.get(settlement.delivery)
        is_ours = row is not None and (
            isinstance(settlement.next, Done) or (row.state, row.leased_to) == ("sending", owner)
        )
        if row is not None and is_ours:
            settled.append((settlement, rows.pop(settlement.delivery)))
        held.append(is_ours)
    if settled:
        _write(connection, settled, clock())
    return held


def settle_operation(owner: str, clock: Callable[[], float]) -> WriteOperation[Settlement, bool]:
    """Return the operation that settles what is leased to an owner."""
    apply = partial(settle, owner=owner, clock=clock)
    return WriteOperation(name="settle", rank=WriteOrder.SETTLE, apply=apply)


def _write(
    connection: Connection, settled: Sequence[tuple[Settlement, AnyRow]], now: float
) -> None:
    moved = [_changed_columns(settlement, row) for settlement, row in settled]
    execute_many(connection, _move_on, moved)
    note_ended(
        connection,
        (
            EndedDelivery(row.id, row.channel, str(values["new_state"]), str(values["new_reason"]))
            for values, (_, row) in zip(moved, settled, strict=True)
        ),
    )
    tries = [write_attempt(s.attempt) for s, _ in settled if s.attempt is not None]
    execute_many(connection, insert_new(connection, attempts), tries)
    add_counts(
        connection,
        ((cap, s.attempt.ended_at) for s, _ in settled if s.attempt is not None for cap in s.caps),
    )
    update_notification_states(connection, (row.notification for _, row in settled))
    apply_endings(
        connection,
        [row for s, row in settled if not isinstance(_effective_next(s, row), Again | Hold)],
        now,
    )
    served = [row.lane_hash for s, row in settled if row.is_lane_held and isinstance(s.next, Done)]
    if served:
        connection.execute(delete(lane_holds).where(lane_holds.c.lane_hash.in_(served)))
    for settlement, row in settled:
        match settlement.next:
            case Hold(until=until, scope=scope):
                is_refused = settlement.attempt is not None
                _hold_lane(connection, row, until, refusals=int(is_refused))
                if is_refused and scope == "channel":
                    hold_channel(connection, row.channel, "suspended", until)
                    _shorten_refusals(connection, row.channel, until)
            case Dead(forget_contact=True, dead_since=since) if row.contact:
                _forget_contact(
                    connection, row, _dead_at(settlement, now) if since is None else since, now
                )


def _effective_next(settlement: Settlement, row: AnyRow) -> NextStep:
    """Return what follows: a delivery that an operator cancelled meanwhile is not tried again."""
    if row.cancel_requested and isinstance(settlement.next, Again | Hold):
        return Cancelled(BY_OPERATOR)
    return settlement.next


def _changed_columns(settlement: Settlement, row: AnyRow) -> Values:
    """Return what changes of a delivery."""
    attempt = settlement.attempt
    counted = attempt is not None and counts(settlement.next)
    state, reason, due_at, handle = "waiting", "", row.due_at, ""
    match _effective_next(settlement, row):
        case Done(handle=handle):
            state = "delivered"
        case Again(at=due_at, reason=reason):
            reason = attempt.reason if attempt else reason
        case Hold(reason=reason):
            pass
        case Dead(reason=reason):
            state = "dead"
        case Expired(reason=reason):
            state = "expired"
        case Cancelled(reason=reason):
            state = "cancelled"
        case Suppressed(reason=reason):
            state = "suppressed"
        case _ as never:
            assert_never(never)
    return {
        "which": settlement.delivery,
        "new_state": state,
        "new_reason": storable_text(reason),
        "new_due_at": due_at,
        "new_attempts": row.attempts + counted,
        "new_handle": storable_text(handle),
    }


def _keep_later(held: FromClause) -> MakeAssignments:
    """Return the change that lets the later end win."""
    return lambda row: {"until": case((row.until > held.c.until, row.until), else_=held.c.until)}


_longer = _keep_later(holds)


def _extend_lane_hold(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - SQLAlchemy's `excluded`
    return {**_keep_later(lane_holds)(row), "refusals": lane_holds.c.refusals + row.refusals}


_shorten = (
    update(lane_holds)
    .where(
        lane_holds.c.channel == bindparam("of_channel"),
        lane_holds.c.refusals > literal_column("0"),
        lane_holds.c.until > bindparam("new_until"),
    )
    .values(until=bindparam("new_until"))
)


def hold_channel(
    connection: Connection, channel: str, cause: str, until: float, host: str = ""
) -> None:
    """Hold a channel, or one host of it, for a cause until a time, or longer if it already is."""
    connection.execute(
        insert_or(connection, holds, _longer),
        {"channel": channel, "cause": cause, "host": storable_text(host), "until": until},
    )


def _hold_lane(connection: Connection, row: AnyRow, until: float, *, refusals: int) -> None:
    connection.execute(
        insert_or(connection, lane_holds, _extend_lane_hold),
        {
            "lane_hash": row.lane_hash,
            "channel": row.channel,
            "until": until,
            "refusals": refusals,
        },
    )


def _shorten_refusals(connection: Connection, channel: str, until: float) -> None:
    """Let what a channel was refused be tried again when its suspension ends."""
    connection.execute(_shorten, {"of_channel": channel, "new_until": until})


def resume_channel(connection: Connection, channel: str, causes: Collection[str]) -> None:
    """End what holds a channel for these causes."""
    connection.execute(delete(holds).where(holds.c.channel == channel, holds.c.cause.in_(causes)))
    if "open" in causes:
        connection.execute(delete(lane_holds).where(lane_holds.c.channel == channel))


def _dead_at(settlement: Settlement, now: float) -> float:
    """Return when a contact was tried that turned out to be dead."""
    return now if settlement.attempt is None else settlement.attempt.started_at


def _forget_contact(connection: Connection, row: AnyRow, dead_since: float, now: float) -> None:
    """Remove a contact that its provider calls dead, unless it was registered again since.

    One that was read in a country stays: it may be the reading that is wrong.
    """
    this = (contacts.c.id == row.contact, contacts.c.address == row.address)
    is_sure = (contacts.c.country == "", contacts.c.seen_at <= dead_since)
    if connection.execute(delete(contacts).where(*this, *is_sure)).rowcount:
        cancel_waiting(connection, [row.contact], now)


def release(connection: Connection, ids: Collection[str], *, owner: str, now: float) -> None:
    """Hand leased deliveries back: they are due as before, and the hand-out does not count.

    Those that an operator cancelled meanwhile end instead.
    """
    unwanted = connection.execute(_recalled, {"ids": ids, "owner": owner}).all()
    end_deliveries(connection, unwanted, "cancelled", BY_OPERATOR, now)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), is_sending, deliveries.c.leased_to == owner)
        .values(state="waiting", lease_until=0.0, handouts=deliveries.c.handouts - 1)
    )


def extend(connection: Connection, ids: Iterable[str], until: float, *, owner: str) -> None:
    """Let leases last until a time."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), is_sending, deliveries.c.leased_to == owner)
        .values(lease_until=until)
    )
