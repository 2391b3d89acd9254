"""What plans change of what was planned before: windows of throttles, deliveries that wait.

A plan rests on what was read before it was decided. Where that is so no longer, because another
process was faster or a delivery's turn came, it is stale and decided again.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, select, update

from router.core.decide.planned import ONCE_REASON_PREFIX
from router.core.model.delivery import OPEN_STATES
from router.core.model.facts import ThrottleWindow
from router.core.model.types import Operation
from router.queue.ports import Plan
from router.store.db.bulk import execute_many
from router.store.db.dialect import insert_or
from router.store.db.locks import is_shared, lock_all
from router.store.schema.rows import Values, storable_text
from router.store.schema.state_tables import throttles
from router.store.schema.tables import deliveries, is_change, is_waiting
from router.store.state.cancellation import ENDING, apply_endings
from router.store.state.endings import EndedDelivery, note_ended
from router.store.state.rollup import update_notification_states

_Version = tuple[float, int]

_counters = select(throttles.c.key, throttles.c.closes_at, throttles.c.count)
_counters = _counters.where(throttles.c.key.in_(bindparam("keys", expanding=True)))
_waiting = (
    select(deliveries.c.id)
    .where(is_waiting, deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_lock_originals = (
    select(deliveries.c.id)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_gone = select(deliveries.c.original).where(
    is_change,
    deliveries.c.original.in_(bindparam("ids", expanding=True)),
    deliveries.c.operation == literal_column("'retract'"),
    deliveries.c.state.in_(
        [literal_column("'waiting'"), literal_column("'sending'"), literal_column("'delivered'")]
    ),
)
_ended = select(*ENDING).where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
_end = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("which"))
    .values(state=bindparam("new_state"), reason=bindparam("new_reason"), parked=0)
)


def find_outdated(
    connection: Connection, plans: Sequence[Plan], stale: Collection[str]
) -> set[str]:
    """Return the notifications whose plans rest on what is so no longer.

    That is also one that rests on another of these plans which is outdated, or on one of those
    that are stale for other reasons.
    """
    if not any(
        plan.effects.counters or plan.effects.endings or _originals_of(plan) for plan in plans
    ):
        return set()
    counters = _read_counters(connection, plans)
    waiting = _lock_waiting(connection, plans)
    gone = _read_gone(connection, plans)
    outdated: set[str] = set()
    for plan in plans:
        if (
            not _is_current(plan, counters, waiting)
            or _leans_on(plan, outdated.union(stale))
            or not gone.isdisjoint(_originals_of(plan))
        ):
            outdated.add(plan.notification)
            continue
        gone.update(_originals_of(plan, "retract"))
        for move in plan.effects.counters:
            counters[move.key] = _version(move.after)
        waiting.difference_update(ending.delivery for ending in plan.effects.endings)
        waiting.update(delivery.id for delivery in plan.deliveries if delivery.state == "waiting")
    return outdated


def apply_edits_of_others(connection: Connection, plans: Iterable[Plan], now: float) -> None:
    """Write what the plans, which are written themselves, change of others."""
    moved: dict[str, Values] = {}
    ended: list[Values] = []
    plans = list(plans)
    endings = [ending for plan in plans for ending in plan.effects.endings]
    for plan in plans:
        for move in plan.effects.counters:
            moved[move.key] = _write_counter(move.key, move.after)
        for ending in plan.effects.endings:
            reason = storable_text(ending.reason)
            ended.append(
                {"which": ending.delivery, "new_state": ending.state, "new_reason": reason}
            )
    if moved:
        statement = insert_or(connection, throttles, _replace)
        execute_many(connection, statement, [moved[key] for key in sorted(moved)])
    if ended:
        execute_many(connection, _end, ended)
        update_notification_states(
            connection, (_notification_of(str(row["which"])) for row in ended)
        )
        rows = connection.execute(_ended, {"ids": [row["which"] for row in ended]}).all()
        channels = {row.id: row.channel for row in rows}
        note_ended(
            connection,
            (
                EndedDelivery(
                    ending.delivery, channels[ending.delivery], ending.state, ending.reason
                )
                for ending in endings
                if ending.delivery in channels
            ),
        )
        apply_endings(connection, rows, now)


def _read_counters(connection: Connection, plans: Sequence[Plan]) -> dict[str, _Version]:
    """Return what the counters are that are to be moved; nobody else moves them meanwhile."""
    keys = sorted({move.key for plan in plans for move in plan.effects.counters})
    if not keys:
        return {}
    lock_all(connection, "throttle", keys)
    rows = connection.execute(_counters, {"keys": keys}).mappings()
    return {row["key"]: (row["closes_at"], row["count"]) for row in rows}


def _lock_waiting(connection: Connection, plans: Sequence[Plan]) -> set[str]:
    """Return those of the deliveries to be ended that wait, and will until then."""
    ids = {ending.delivery for plan in plans for ending in plan.effects.endings}
    return set(connection.execute(_waiting, {"ids": sorted(ids)}).scalars()) if ids else set()


def _read_gone(connection: Connection, plans: Sequence[Plan]) -> set[str]:
    """Return the originals of what the plans change that something takes back already.

    Of those, nobody else plans anything meanwhile.
    """
    ids = {id_ for plan in plans for id_ in _originals_of(plan)}
    if not ids:
        return set()
    if is_shared(connection):
        connection.execute(_lock_originals, {"ids": sorted(ids)}).close()
    return set(connection.execute(_gone, {"ids": sorted(ids)}).scalars())


def _originals_of(plan: Plan, *operations: Operation) -> set[str]:
    """Return the originals of what a plan changes, by these operations or by any."""
    return {
        delivery.original
        for delivery in plan.deliveries
        if delivery.original and delivery.state in OPEN_STATES
        if not operations or delivery.operation in operations
    }


def _is_current(plan: Plan, counters: dict[str, _Version], waiting: set[str]) -> bool:
    moves, endings = plan.effects.counters, plan.effects.endings
    return all(
        counters.get(move.key) == (None if move.before is None else _version(move.before))
        for move in moves
    ) and all(ending.delivery in waiting for ending in endings)


def _leans_on(plan: Plan, outdated: set[str]) -> bool:
    """Return whether an outdated plan's delivery stands for one of this plan, or is changed."""
    return bool(outdated) and any(
        (
            delivery.reason.startswith(ONCE_REASON_PREFIX)
            and _notification_of(delivery.reason.removeprefix(ONCE_REASON_PREFIX)) in outdated
        )
        or _notification_of(delivery.original) in outdated
        for delivery in plan.deliveries
    )


def _version(counter: ThrottleWindow) -> _Version:
    return counter.closes_at, counter.count


def _notification_of(delivery: str) -> str:
    return delivery.rpartition("-")[0]


def _write_counter(key: str, counter: ThrottleWindow) -> Values:
    return {
        "key": key,
        "closes_at": counter.closes_at,
        "count": counter.count,
        "events": msgspec.json.encode(counter.events),
        "summaries": msgspec.json.encode(counter.summaries),
        "first": storable_text(counter.first),
        "people": msgspec.json.encode(counter.people),
    }


_MOVED = ("closes_at", "count", "events", "summaries", "first", "people")


def _replace(row: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - SQLAlchemy's `excluded`
    return {name: row[name] for name in _MOVED}
