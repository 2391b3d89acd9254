"""Planning: what was decided is written, and what is due now is leased at once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)

from router.core.model.delivery import Delivery
from router.core.model.facts import CallEvent
from router.core.model.unless import call_key
from router.queue.conflicts import apply_edits_of_others, find_outdated
from router.queue.ports import Plan
from router.store.db.bulk import execute_many
from router.store.db.dialect import insert_new
from router.store.db.group_commit import WriteOperation, WriteOrder
from router.store.db.locks import is_shared, try_locks
from router.store.schema.rows import Values, hash_lane, storable_text, write_delivery
from router.store.schema.tables import (
    contacts,
    deliveries,
    is_in_line,
    is_parked,
    is_sending,
    is_unplanned,
    lane_holds,
    notifications,
    once,
)
from router.store.state.call_and_read_state import write_calls
from router.store.state.cancellation import apply_events, register_wait_conditions
from router.store.state.endings import EndedDelivery, note_ended

_these = notifications.c.id.in_(bindparam("ids", expanding=True))
_unplanned = (
    select(notifications.c.id)
    .where(is_unplanned, _these)
    .order_by(notifications.c.id)
    .with_for_update(skip_locked=True)
)
_elder = notifications.alias("elder")
_early = (
    select(notifications.c.id)
    .where(notifications.c.id.in_(bindparam("patient", expanding=True)))
    .where(
        exists().where(
            _elder.c.state == literal_column("'accepted'"),
            _elder.c.id < notifications.c.id,
            _elder.c.id.not_in(bindparam("ids", expanding=True)),
            _elder.c.app_id == notifications.c.app_id,
            _elder.c.uid == notifications.c.uid,
        )
    )
)
_holders = select(once).where(once.c.event.in_(bindparam("events", expanding=True)))
_in_lanes = deliveries.c.lane_hash.in_(bindparam("lanes", expanding=True))
_is_due = deliveries.c.due_at <= bindparam("now")
_last = select(deliveries.c.lane_hash, func.max(deliveries.c.due_at)).where(_in_lanes)
_last = _last.group_by(deliveries.c.lane_hash)
_busy = union_all(
    _last.where(is_sending),
    _last.where(is_in_line, _is_due),
    _last.where(is_parked, _is_due),
    select(lane_holds.c.lane_hash, literal_column("0.0")).where(
        lane_holds.c.lane_hash.in_(bindparam("lanes", expanding=True))
    ),
)
_still_there = (
    select(contacts.c.id, contacts.c.address)
    .where(contacts.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(read=True, skip_locked=True)
)
_add_delivery = insert(deliveries)
_decision: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}")
    for name in ("state", "reason", "decided_at", "version", "matched", "classified")
}
_kind = func.coalesce(bindparam("new_kind", type_=Text), notifications.c.kind)
_decide = (
    update(notifications)
    .where(notifications.c.id == bindparam("which"))
    .values({**_decision, "kind": _kind})
)


def settle_plans(
    connection: Connection, plans: Sequence[Plan], *, owner: str, clock: Callable[[], float]
) -> list[frozenset[str] | None]:
    """Write plans; return for each the deliveries leased to the owner, None where it is stale.

    A plan is stale while an earlier notification of the same recipient has none, which another
    process accepted or is deciding, and when what it rests on changed meanwhile: somebody else
    took a once-key of it, moved a throttle's counter, or sends what it would end.
    """
    ids = [plan.notification for plan in plans]
    unplanned = set(connection.execute(_unplanned, {"ids": ids}).scalars())
    fresh: dict[str, Plan] = {}
    for plan in plans:
        if plan.notification in unplanned:
            fresh.setdefault(plan.notification, plan)
    stale = _take_once_keys(connection, fresh.values())
    stale |= _find_out_of_order(connection, [fresh[id_] for id_ in fresh if id_ not in stale])
    stale |= find_outdated(connection, [fresh[id_] for id_ in fresh if id_ not in stale], stale)
    _release_once_keys(connection, [fresh.pop(id_) for id_ in stale])
    now = max(clock(), *(plan.decided_at for plan in plans))
    late = _write_deliveries(connection, list(fresh.values()), owner, now)
    execute_many(connection, _decide, [_decision_row(plan) for plan in fresh.values()])
    register_wait_conditions(
        connection, chain.from_iterable(p.deliveries for p in fresh.values()), now
    )
    apply_edits_of_others(connection, fresh.values(), now)
    _record_call_events(
        connection, [event for plan in fresh.values() for event in plan.effects.calls], now
    )
    leased = {id_: _sending(plan) - late for id_, plan in fresh.items()}
    return [None if id_ in stale else leased.pop(id_, frozenset()) for id_ in ids]


def plan_operation(
    owner: str, clock: Callable[[], float]
) -> WriteOperation[Plan, frozenset[str] | None]:
    """Return the operation that plans, and leases to an owner what is due."""
    apply = partial(settle_plans, owner=owner, clock=clock)
    return WriteOperation(name="plan", rank=WriteOrder.PLAN, apply=apply, batch=64)


def _record_call_events(connection: Connection, events: Sequence[CallEvent], now: float) -> None:
    """Write what was heard of calls, and cancel what is needless for it."""
    if events:
        write_calls(connection, events, now)
        apply_events(connection, {call_key(event.app_id, event.session) for event in events}, now)


def _sending(plan: Plan) -> frozenset[str]:
    return frozenset(delivery.id for delivery in plan.deliveries if delivery.state == "sending")


def _take_once_keys(connection: Connection, plans: Iterable[Plan]) -> set[str]:
    """Take the once-keys of plans; return the notifications of those that came too late."""
    rows = [(plan.notification, row) for plan in plans for row in _once_rows(plan)]
    if not rows:
        return set()
    rows.sort(key=lambda pair: _once_key(pair[1]))  # in one order, so that nobody waits in a ring
    execute_many(connection, insert_new(connection, once), [row for _, row in rows])
    taken = connection.execute(_holders, {"events": list({row["event"] for _, row in rows})})
    holders = {_once_key(row): row["delivery"] for row in taken.mappings()}
    return {id_ for id_, row in rows if holders[_once_key(row)] != row["delivery"]}


def _once_key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in once.primary_key)


def _release_once_keys(connection: Connection, plans: Iterable[Plan]) -> None:
    taken = [delivery for plan in plans for _, delivery in plan.effects.once]
    if taken:
        connection.execute(delete(once).where(once.c.delivery.in_(taken)))


def _find_out_of_order(connection: Connection, plans: Collection[Plan]) -> set[str]:
    """Return those whose recipient has an earlier notification without a plan, not of these.

    A call that rings is never too early: it goes before what waits.
    """
    if not plans or not is_shared(connection):
        return set()
    patient = [
        plan.notification
        for plan in plans
        if not any(delivery.urgent for delivery in plan.deliveries)
    ]
    ids = [plan.notification for plan in plans]
    return set(connection.execute(_early, {"patient": patient, "ids": ids}).scalars())


def _write_deliveries(
    connection: Connection, plans: Sequence[Plan], owner: str, now: float
) -> set[str]:
    """Write the deliveries; return which must wait for another one in their lane."""
    planned = [delivery for plan in plans for delivery in plan.deliveries]
    if not planned:
        return set()
    busy = _busy_lanes(connection, planned, now)
    moved = _find_with_changed_contact(connection, planned)
    rows, late = [], set()
    for delivery in planned:
        row = write_delivery(delivery)
        if delivery.state == "sending" or (delivery.state == "waiting" and delivery.due_at <= now):
            lane = _lane(delivery)
            if delivery.state == "sending" and lane not in busy and delivery.id not in moved:
                row["leased_to"] = owner
            elif delivery.state == "sending":
                row |= {"state": "waiting", "lease_until": 0.0, "handouts": 0}
                late.add(delivery.id)
            busy[lane] = row["due_at"] = max(delivery.due_at, busy.get(lane, 0.0))
        rows.append(row)
    execute_many(connection, _add_delivery, rows)
    note_ended(connection, (EndedDelivery(d.id, d.channel, d.state, d.reason) for d in planned))
    return late


def _find_with_changed_contact(connection: Connection, planned: Sequence[Delivery]) -> set[str]:
    """Return those to be sent now whose contact is gone, or elsewhere, since it was read.

    They wait, and who claims them looks again. A contact that somebody is changing right now
    counts as gone.
    """
    eager = [delivery for delivery in planned if delivery.state == "sending" and delivery.contact]
    if not eager:
        return set()
    rows = connection.execute(_still_there, {"ids": list({delivery.contact for delivery in eager})})
    there = {(row.id, row.address) for row in rows}
    return {
        delivery.id
        for delivery in eager
        if (delivery.contact, storable_text(delivery.address)) not in there
    }


def _busy_lanes(
    connection: Connection, planned: Sequence[Delivery], now: float
) -> dict[int, float]:
    """Return the lanes where another one is sent or due, or may be, with the last due time.

    So are those that are held, or were refused: whoever claims in them knows of that.

    Who comes later queues behind that: another process may have decided later what came earlier.
    """
    eager = {_lane(delivery) for delivery in planned if delivery.state == "sending"}
    ours = try_locks(connection, eager)
    busy = dict.fromkeys(eager - ours, 0.0)
    lanes = {_lane(delivery) for delivery in planned} if is_shared(connection) else ours
    if lanes:
        for lane, due_at in connection.execute(_busy, {"lanes": sorted(lanes), "now": now}):
            busy[lane] = max(due_at, busy.get(lane, 0.0))
    return busy


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
        "new_reason": storable_text(plan.reason),
        "new_decided_at": plan.decided_at,
        "new_version": plan.version,
        "new_matched": msgspec.json.encode(plan.matched),
        "new_classified": msgspec.json.encode(plan.classified) if plan.classified else b"",
        "new_kind": plan.classified.get("kind"),
    }
