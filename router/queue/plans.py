"""Planning: what was decided is written, and what is due now is leased at once."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, insert, select, union_all, update

from router.core.delivery import Delivery
from router.queue.ports import Plan
from router.store.bulk import execute_many
from router.store.dialect import insert_new
from router.store.rows import Values, clean, hash_lane, write_delivery
from router.store.tables import (
    deliveries,
    is_in_line,
    is_parked,
    is_sending,
    is_unplanned,
    notifications,
    once,
)
from router.store.writer import Operation, Rank

_unplanned = select(notifications.c.id).where(
    is_unplanned, notifications.c.id.in_(bindparam("ids", expanding=True))
)
_in_lanes = deliveries.c.lane_hash.in_(bindparam("lanes", expanding=True))
_is_due = deliveries.c.due_at <= bindparam("now")
_busy = union_all(
    select(deliveries.c.lane_hash).where(is_sending, _in_lanes),
    select(deliveries.c.lane_hash).where(is_in_line, _in_lanes, _is_due),
    select(deliveries.c.lane_hash).where(is_parked, _in_lanes, _is_due),
)
_add_delivery = insert(deliveries)
_decision: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}")
    for name in ("state", "reason", "decided_at", "version", "matched")
}
_decide = update(notifications).where(notifications.c.id == bindparam("which")).values(_decision)


def settle_plans(connection: Connection, plans: Sequence[Plan]) -> list[frozenset[str]]:
    """Write plans; return for each the deliveries that are leased to the caller."""
    ids = [plan.notification for plan in plans]
    unplanned = set(connection.execute(_unplanned, {"ids": ids}).scalars())
    leased: list[frozenset[str]] = []
    fresh: list[Plan] = []
    for plan in plans:
        is_fresh = plan.notification in unplanned
        unplanned.discard(plan.notification)
        fresh += [plan] if is_fresh else []
        leased.append(frozenset(_sending(plan) if is_fresh else ()))
    if not fresh:
        return leased
    late = _write_deliveries(connection, fresh)
    taken = [row for plan in fresh for row in _once_rows(plan)]
    execute_many(connection, insert_new(connection, once), taken)
    execute_many(connection, _decide, [_decision_row(plan) for plan in fresh])
    return [each - late for each in leased]


PLAN: Operation[Plan, frozenset[str]] = Operation(
    name="plan", rank=Rank.PLAN, apply=settle_plans, batch=64
)


def _sending(plan: Plan) -> Iterable[str]:
    return (delivery.id for delivery in plan.deliveries if delivery.state == "sending")


def _write_deliveries(connection: Connection, plans: Sequence[Plan]) -> set[str]:
    """Write the deliveries; return which must wait for another one in their lane."""
    planned = [delivery for plan in plans for delivery in plan.deliveries]
    if not planned:
        return set()
    now = max(plan.decided_at for plan in plans)
    busy = _busy_lanes(connection, planned, now)
    rows, late = [], set()
    for delivery in planned:
        row = write_delivery(delivery)
        lane = row["lane_hash"]
        if delivery.state == "sending" and lane in busy:
            row |= {"state": "waiting", "lease_until": 0.0, "handouts": 0}
            late.add(delivery.id)
        elif delivery.state == "sending" or (
            delivery.state == "waiting" and delivery.due_at <= now
        ):
            busy.add(lane)
        rows.append(row)
    execute_many(connection, _add_delivery, rows)
    return late


def _busy_lanes(connection: Connection, planned: Sequence[Delivery], now: float) -> set[object]:
    """Return the lanes of those to be leased in which another one is sent or due."""
    eager = sorted({_lane(each) for each in planned if each.state == "sending"})
    if not eager:
        return set()
    return set(connection.execute(_busy, {"lanes": eager, "now": now}).scalars())


def _lane(delivery: Delivery) -> int:
    return hash_lane(delivery.channel, delivery.lane or delivery.address)


def _once_rows(plan: Plan) -> Iterable[Values]:
    for key, delivery in plan.effects.once:
        yield {
            "event": key.event,
            "rule": key.rule,
            "step": key.step,
            "channel": key.channel,
            "address": key.address,
            "delivery": delivery,
        }


def _decision_row(plan: Plan) -> Values:
    return {
        "which": plan.notification,
        "new_state": plan.state,
        "new_reason": clean(plan.reason),
        "new_decided_at": plan.decided_at,
        "new_version": plan.version,
        "new_matched": msgspec.json.encode(plan.matched),
    }
