"""Waiting deliveries that watch for events: cancelled when needless, let go when ripe.

What ends a delivery goes through here, since another one may stand by for it. A row that watches
is locked before it is asked what it watches for, so that of two processes in which the last two of
those end the later one sees both.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)

from router.core.model.delivery import Delivery
from router.core.model.facts import DecisionState
from router.core.model.unless import (
    WaitCondition,
    cancel_reason,
    end_key,
    is_released,
    keys,
    place_of,
)
from router.store.db.bulk import execute_many
from router.store.schema.rows import AnyRow, Values, decode_watch, encode_watch, storable_text
from router.store.schema.state_tables import watches
from router.store.schema.tables import deliveries, is_waiting
from router.store.state.call_and_read_state import (
    read_calls,
    read_read_markers,
    read_terminal_states,
)
from router.store.state.endings import EndedDelivery, note_ended
from router.store.state.rollup import update_notification_states

_row = deliveries.c
ENDING = (_row.id, _row.notification, _row.channel, _row.unless, _row.awaited)
"""The columns that `end` and `follow` ask of a row."""

_add_watch = insert(watches)
_watching = select(*ENDING, _row.due_at, _row.expires_at).where(is_waiting)
_told = _watching.where(
    _row.id.in_(
        select(watches.c.delivery).where(watches.c.key.in_(bindparam("keys", expanding=True)))
    )
)
_told = _told.order_by(_row.id).with_for_update()
_these = _watching.where(_row.id.in_(bindparam("ids", expanding=True)), _row.unless != b"")
_cancel: dict[str, BindParameter[Any] | Any] = {
    "state": literal_column("'cancelled'"),
    "reason": bindparam("why"),
    "parked": literal_column("0"),
}
_end_one = update(deliveries).where(_row.id == bindparam("which")).values(_cancel)
_let_go = (
    update(deliveries)
    .where(_row.id == bindparam("which"))
    .values({name: bindparam(f"new_{name}") for name in ("due_at", "expires_at", "unless")})
)


def register_wait_conditions(
    connection: Connection, planned: Iterable[Delivery], now: float
) -> None:
    """Let planned deliveries hear of events, and of what happened before they could."""
    pairs = [(delivery.id, delivery.watch) for delivery in planned if delivery.watch is not None]
    if not pairs:
        return
    rows: list[Values] = [
        {"key": storable_text(key), "delivery": id_} for id_, watch in pairs for key in keys(watch)
    ]
    execute_many(connection, _add_watch, rows)
    awaited = {id_ for _, watch in pairs for id_ in watch.all_awaited()}
    if awaited:
        ids = sorted(awaited)
        connection.execute(
            update(deliveries).where(_row.id.in_(ids), ~_row.awaited).values(awaited=True)
        )
        read_terminal_states(connection, ids, settled=True)
    found = connection.execute(_these, {"ids": [id_ for id_, _ in pairs]}).all()
    apply_events(connection, _cancel_and_release(connection, found, now), now)


def apply_events(connection: Connection, happened: Collection[str], now: float) -> None:
    """Cancel what the events with these keys made needless, and let go what stood by for them."""
    while happened:
        rows = connection.execute(_told, {"keys": [storable_text(key) for key in happened]}).all()
        happened = _cancel_and_release(connection, rows, now)


def end_deliveries(
    connection: Connection, rows: Collection[AnyRow], state: str, reason: str, now: float
) -> None:
    """End deliveries (rows with `ENDING`), with all that follows from it."""
    if not rows:
        return
    connection.execute(
        update(deliveries)
        .where(_row.id.in_([row.id for row in rows]))
        .values(state=state, reason=reason, lease_until=0.0, parked=0, cancel_requested=0)
    )
    note_ended(connection, (EndedDelivery(row.id, row.channel, state, reason) for row in rows))
    update_notification_states(connection, (row.notification for row in rows))
    apply_endings(connection, rows, now)


def cancel_waiting(connection: Connection, contacts: Collection[str], now: float) -> None:
    """Cancel what waits for contacts that are no more."""
    waiting = select(*ENDING).where(is_waiting, _row.contact.in_(contacts)).order_by(_row.id)
    rows = connection.execute(waiting.with_for_update()).all() if contacts else ()
    end_deliveries(connection, rows, "cancelled", "contact_gone", now)


def apply_endings(connection: Connection, ended: Iterable[AnyRow], now: float) -> None:
    """Do what follows from the end of deliveries (rows with `ENDING`)."""
    ended = list(ended)
    _delete_wait_conditions(connection, [row.id for row in ended if row.unless])
    apply_events(connection, [end_key(row.id) for row in ended if row.awaited], now)


def find_needless(connection: Connection, rows: Iterable[AnyRow]) -> dict[str, str]:
    """Return those of the deliveries that are needless, with the reason."""
    watching = [(row.id, decode_watch(row.unless)) for row in rows if row.unless]
    if not watching:
        return {}
    facts, ends = _read_occurred(connection, [watch for _, watch in watching])
    reasons = ((id_, cancel_reason(watch, facts, ends)) for id_, watch in watching)
    return {id_: reason for id_, reason in reasons if reason}


def _cancel_and_release(connection: Connection, rows: Sequence[AnyRow], now: float) -> list[str]:
    """Cancel and let go what it is time for; return the keys of the ends that somebody awaits."""
    if not rows:
        return []
    watched = [(row, decode_watch(row.unless)) for row in rows]
    facts, ends = _read_occurred(connection, [watch for _, watch in watched])
    cancelled: list[AnyRow] = []
    reasons: list[Values] = []
    ended: list[EndedDelivery] = []
    ripe: list[Values] = []
    for row, watch in watched:
        if reason := cancel_reason(watch, facts, ends):
            cancelled.append(row)
            reasons.append({"which": row.id, "why": storable_text(reason)})
            ended.append(EndedDelivery(row.id, row.channel, "cancelled", storable_text(reason)))
        elif is_released(watch, ends):
            ripe.append(_release_columns(row, watch, now))
    execute_many(connection, _let_go, ripe)
    execute_many(connection, _end_one, reasons)
    note_ended(connection, ended)
    update_notification_states(connection, [row.notification for row in cancelled])
    _delete_wait_conditions(connection, [row.id for row in cancelled])
    return [end_key(row.id) for row in cancelled if row.awaited]


def _release_columns(row: AnyRow, watch: WaitCondition, now: float) -> Values:
    """Return what changes of a delivery that need stand by no longer; its lifetime does not."""
    due_at = min(row.due_at, max(now, watch.earliest))
    return {
        "which": row.id,
        "new_due_at": due_at,
        "new_expires_at": due_at + row.expires_at - row.due_at,
        "new_unless": encode_watch(replace(watch, stands_by=False)),
    }


def _read_occurred(
    connection: Connection, watching: Collection[WaitCondition]
) -> tuple[DecisionState, dict[str, bool]]:
    """Return what happened of all that these watch for."""
    sessions = {(watch.app_id, watch.session) for watch in watching if watch.session}
    readings = {
        (watch.app_id, watch.uid, conversation)
        for watch in watching
        if any(clause.read for clause in watch.clauses)
        for conversation in (watch.conversation, place_of(watch.message))
    }
    awaited = set(chain.from_iterable(watch.all_awaited() for watch in watching))
    facts = DecisionState(
        calls=read_calls(connection, sessions), reads=read_read_markers(connection, readings)
    )
    return facts, read_terminal_states(connection, awaited)


def _delete_wait_conditions(connection: Connection, ids: Collection[str]) -> None:
    if ids:
        connection.execute(delete(watches).where(watches.c.delivery.in_(ids)))
