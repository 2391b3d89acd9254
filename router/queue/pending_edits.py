"""Changes of what was shown: each waits for its original to end, and goes by what came of that.

An original that turned out not to be shown needs no change. One that waits for another try has
not been shown either: then what changes it takes its place, and a deletion ends it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, literal_column, select, update

from router.core.model.unless import CALL_OVER
from router.store.db.bulk import execute_many
from router.store.schema.rows import AnyRow, Values
from router.store.schema.tables import deliveries, is_change, is_waiting
from router.store.state.cancellation import ENDING, end_deliveries

NOT_SHOWN = "not_shown"
"""Why a change does not go out whose original reached nobody."""

_row = deliveries.c
_originals = select(
    *(_row.id, _row.state, _row.handouts),
    (_row.reason == literal_column("'may_have_arrived'")).label("doubtful"),
).where(_row.id.in_(bindparam("ids", expanding=True)))
_unsent = (
    select(*ENDING, _row.urgent)
    .where(is_waiting, _row.handouts == 0, _row.id.in_(bindparam("ids", expanding=True)))
    .order_by(_row.id)
    .with_for_update(skip_locked=True)
)
_send_instead = (
    update(deliveries)
    .where(_row.id == bindparam("which"))
    .values(operation=literal_column("'send'"), original=literal_column("''"))
)
_follow_it = (
    update(deliveries)
    .where(is_change, _row.original == bindparam("of"), is_waiting)
    .values(original=bindparam("which"))
)


class EditReview(NamedTuple):
    """What becomes of changes that are due: which must wait, and why which need not go.

    `ended` are the originals in whose place one goes, or that were deleted.
    """

    early: Collection[str]
    needless: Mapping[str, str]
    ended: Collection[str]


def review_edits(
    connection: Connection, rows: Iterable[AnyRow], taken: Collection[str], now: float
) -> EditReview:
    """Return which of the deliveries must wait for their original, or need not go; the others may.

    An original that was to be tried again is ended, for one of them stands in its place; not
    one of those that are taken to be sent.
    """
    changes = [row for row in rows if row.original]
    if not changes:
        return EditReview((), {}, ())
    ids = sorted({row.original for row in changes})
    originals = {row.id: row for row in connection.execute(_originals, {"ids": ids})}
    again = {id_ for id_, row in originals.items() if row.state == "waiting" and not row.handouts}
    unsent = _lock(connection, again.difference(taken))
    ended = set(unsent)
    early: set[str] = set()
    needless: dict[str, str] = {}
    instead: list[Values] = []
    for row in changes:
        if row.original in unsent:
            original = unsent.pop(row.original)
            is_gone = row.operation == "retract"
            gone = CALL_OVER if original.urgent else "deleted"
            why = gone if is_gone else f"replaced: {row.id}"
            end_deliveries(connection, [original], "cancelled", why, now)
            if is_gone:
                needless[row.id] = NOT_SHOWN
            else:
                instead.append({"which": row.id, "of": row.original})
        elif (known := originals.get(row.original)) is not None and _is_open(known):
            early.add(row.id)
        elif known is None or not (known.state == "delivered" or known.doubtful):
            needless[row.id] = NOT_SHOWN
    execute_many(connection, _follow_it, instead)
    execute_many(connection, _send_instead, [{"which": row["which"]} for row in instead])
    return EditReview(early, needless, ended)


def _is_open(original: AnyRow) -> bool:
    return original.state in {"waiting", "sending"}


def _lock(connection: Connection, ids: Collection[str]) -> dict[str, AnyRow]:
    """Return the rows of those that still wait and that nobody else holds."""
    if not ids:
        return {}
    return {row.id: row for row in connection.execute(_unsent, {"ids": sorted(ids)})}
