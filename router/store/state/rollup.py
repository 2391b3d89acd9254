"""What a change of a delivery means for its notification and for those that wait behind it."""

from collections.abc import Iterable

from sqlalchemy import Connection, Function, Update, bindparam, case, func, or_, select, update

from router.store.db.bulk import execute_many
from router.store.db.locks import is_shared
from router.store.schema.tables import deliveries, notifications

MAX_IDS_PER_STATEMENT = 500
"""How many ids one statement names at most."""


def delivery_id_range(notification: str) -> tuple[str, str]:
    """Return the bounds between which the ids of a notification's deliveries lie."""
    return f"{notification}-", f"{notification}."  # a full stop is what comes after a dash


def _roll_up() -> Update:
    """Return the statement that derives a notification's state from its deliveries'.

    Suppressed and cancelled ones say nothing about it: there was nothing to deliver.
    """
    are_open, arrived, failed = (
        _count("waiting", "sending"),
        _count("delivered"),
        _count("dead", "expired"),
    )
    state = (
        select(
            case(
                (are_open > 0, "pending"),
                (arrived == 0, "undelivered"),
                (failed > 0, "partial"),
                else_="delivered",
            )
        )
        .where(deliveries.c.id > bindparam("low"), deliveries.c.id < bindparam("high"))
        .scalar_subquery()
    )
    return (
        update(notifications)
        .where(notifications.c.id == bindparam("which"), notifications.c.decided_at.is_not(None))
        .values(state=state)
    )


def _count(*states: str) -> Function[int]:
    any_of = or_(*(deliveries.c.state == state for state in states))  # IN bars executemany
    return func.sum(case((any_of, 1), else_=0))


_ROLL_UP = _roll_up()
_LOCK = (
    select(notifications.c.id)
    .where(notifications.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(notifications.c.id)
    .with_for_update()
)


def update_notification_states(connection: Connection, ids: Iterable[str]) -> None:
    """Bring the states of notifications up to date with their deliveries."""
    whose = sorted(set(ids))
    if whose and is_shared(connection):  # else one that waits for another sees what was before it
        connection.execute(_LOCK, {"ids": whose}).close()
    values: list[dict[str, object]] = []
    for id_ in whose:
        low, high = delivery_id_range(id_)
        values.append({"which": id_, "low": low, "high": high})
    execute_many(connection, _ROLL_UP, values)
