"""What was heard of calls, read of conversations, and how deliveries ended: by key, in bulk."""

from collections.abc import Collection, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, select

from router.core.model.facts import CallEvent, ReadMarker
from router.core.model.unless import makes_needless
from router.store.db.bulk import execute_many
from router.store.db.dialect import insert_new, insert_or
from router.store.schema.rows import storable_text
from router.store.schema.state_tables import calls, reads
from router.store.schema.tables import deliveries

MAX_READ_MARKERS_PER_QUERY = 20
"""How many readings one query looks for: it tries every uid with every conversation."""

_calls = select(calls.c.session, calls.c.uid, calls.c.action).where(
    calls.c.app_id == bindparam("app"),
    calls.c.session.in_(bindparam("sessions", expanding=True)),
)
_reads = select(reads).where(
    reads.c.app_id == bindparam("app"),
    reads.c.uid.in_(bindparam("uids", expanding=True)),
    reads.c.conversation.in_(bindparam("conversations", expanding=True)),
)
_states = select(deliveries.c.id, deliveries.c.state, deliveries.c.reason).where(
    deliveries.c.id.in_(bindparam("ids", expanding=True))
)
_settled_states = _states.order_by(deliveries.c.id).with_for_update(read=True)


def _keep_latest_read(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - the columns of a row
    """Return the change that lets what was read last win."""
    return {
        name: case((new > reads.c[name], new), else_=reads.c[name])
        for name, new in (("message", row.message), ("read_at", row.read_at))
    }


def read_calls(
    connection: Connection, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Return what was heard of calls (app and session), as `DecisionState.calls` has it."""
    calls: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for app in {app for app, _ in keys}:
        sessions = [storable_text(session) for of, session in keys if of == app]
        for row in connection.execute(_calls, {"app": app, "sessions": sessions}):
            calls.setdefault((app, row.session), set()).add((row.uid, row.action))
    return calls


def read_read_markers(
    connection: Connection, keys: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], ReadMarker]:
    """Return how far conversations were read, by app, uid and conversation."""
    markers: dict[tuple[str, str, str], ReadMarker] = {}
    ordered = sorted(keys, key=lambda key: (key[0], key[2], key[1]))
    for app, group in groupby(ordered, key=itemgetter(0)):
        whole = list(group)
        for start in range(0, len(whole), MAX_READ_MARKERS_PER_QUERY):
            some = whole[start : start + MAX_READ_MARKERS_PER_QUERY]
            uids, places = ({storable_text(key[n]) for key in some} for n in (1, 2))
            parameters = {"app": app, "uids": sorted(uids), "conversations": sorted(places)}
            for row in connection.execute(_reads, parameters):
                markers[app, row.uid, row.conversation] = ReadMarker(row.message, row.read_at)
    return markers


def read_terminal_states(
    connection: Connection, ids: Collection[str], *, settled: bool = False
) -> dict[str, bool]:
    """Return which deliveries have ended, one that is gone has.

    With `settled` those are waited for that another process is settling.
    """
    if not ids:
        return {}
    query = _settled_states if settled else _states
    ends = dict.fromkeys(ids, False)
    for row in connection.execute(query, {"ids": sorted(ids)}):
        if row.state in {"waiting", "sending"}:
            del ends[row.id]
        else:
            ends[row.id] = makes_needless(row.state, row.reason)
    return ends


def write_calls(connection: Connection, events: Iterable[CallEvent], now: float) -> None:
    """Write what was heard of calls."""
    rows = [
        {
            "app_id": event.app_id,
            "session": storable_text(event.session),
            "uid": event.uid,
            "action": event.action,
            "heard_at": now,
        }
        for event in sorted(set(events), key=lambda event: (event.app_id, event.session, event.uid))
    ]
    execute_many(connection, insert_new(connection, calls), rows)


def write_read_markers(
    connection: Connection, readings: Iterable[tuple[tuple[str, str, str], ReadMarker]]
) -> None:
    """Write how far conversations were read; what was read last stays."""
    rows = [
        {
            "app_id": app_id,
            "uid": uid,
            "conversation": storable_text(conversation),
            "message": reading.message,
            "read_at": reading.read_at,
        }
        for (app_id, uid, conversation), reading in sorted(readings, key=lambda pair: pair[0])
    ]
    execute_many(connection, insert_or(connection, reads, _keep_latest_read), rows)
