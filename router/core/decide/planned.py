"""A delivery as decided, and how one waits for the end of another."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from router.core.decide.timing import PlannedState
from router.core.model.delivery_record import DeliveryRecord
from router.core.model.facts import DecisionState, OnceKey
from router.core.model.unless import EndStates, WaitCondition, cancel_reason, is_released
from router.core.rules.ruleset import Enrichment

ONCE_REASON_PREFIX = "once: "
"""How the reason starts of a delivery for which another notification's stands."""


class PlannedDelivery(DeliveryRecord, frozen=True, kw_only=True):
    """A delivery as decided, its words not yet rendered; times are epoch seconds.

    `enrichments` stand in the order they apply: the later wins. A suppressed one says why in
    `reason` (`no_contact`, `opted_out`, `muted`, `throttled`, `once: ID OF THE ONE THAT STANDS`,
    `cannot_change`, `not_shown`, `deleted: ID OF WHAT IS TAKEN AWAY`) and is kept to be seen; a
    cancelled one is needless already (`unless: …`); an expired one came too late to be sent, and a
    dead one has no address that anything can be sent to (`invalid_address: …`): both are dead
    letters. `watch` holds the events that make a waiting one needless, `awaited` says that another
    one waits for its end. One with a `count` is a summary of so many notifications: the `first`
    person's in the window and of `others`. One whose `operation` changes or takes back what was
    shown goes in the `lane` of its `original`.
    """

    state: PlannedState = "waiting"
    deferred_by: str = ""
    once: OnceKey | None = None
    count: int = 0
    first: str = ""
    others: int = 0
    watch: WaitCondition | None = None
    awaited: bool = False
    enrichments: tuple[Enrichment, ...] = ()


def resolve_fallbacks(
    planned: Sequence[PlannedDelivery], facts: DecisionState
) -> tuple[PlannedDelivery, ...]:
    """Return the deliveries, each with those it waits for; what is needless already is cancelled.

    One that stands by is due when the last of those can end; where none is open, when it is. Of
    two that stand by for each other the first one goes.
    """
    for delivery in planned:
        if delivery.watch is not None:
            break
    else:
        return tuple(planned)
    resolved = list(planned)
    ends: dict[str, bool] = {}
    done: set[int] = set()
    for position in sorted(
        range(len(resolved)), key=lambda position: _stands_by(resolved[position])
    ):
        delivery = resolved[position]
        ahead = [
            resolved[p] for p in range(len(resolved)) if p in done or not _stands_by(resolved[p])
        ]
        resolved[position] = arranged = _resolve_fallback(delivery, ahead, ends, facts)
        if arranged.state == "cancelled":
            ends[arranged.id] = True
        done.add(position)
    awaited = {
        id_ for delivery in resolved if delivery.watch for id_ in delivery.watch.all_awaited()
    }
    return tuple(
        replace(delivery, awaited=True) if delivery.id in awaited else delivery
        for delivery in resolved
    )


def _stands_by(planned: PlannedDelivery) -> bool:
    return planned.watch is not None and planned.watch.stands_by


def _resolve_fallback(
    delivery: PlannedDelivery,
    others: Sequence[PlannedDelivery],
    ends: EndStates,
    facts: DecisionState,
) -> PlannedDelivery:
    """Return a delivery with what it waits for of the others."""
    if delivery.watch is None or delivery.state != "waiting":
        return replace(delivery, watch=None)
    channels = {clause.delivered for clause in delivery.watch.clauses if clause.delivered}
    awaited: dict[str, list[PlannedDelivery]] = {}
    for other in others:
        if (
            other.channel in channels
            and other.operation != "retract"  # it takes something back, and tells nobody anything
            and (other.rule, other.step) != (delivery.rule, delivery.step)
        ):
            awaited.setdefault(other.channel, []).append(other)
    ids = {channel: tuple(_ends_of(deliveries)) for channel, deliveries in awaited.items()}
    watch = replace(
        delivery.watch,
        awaited={channel: delivery_ids for channel, delivery_ids in ids.items() if delivery_ids},
    )
    if reason := cancel_reason(watch, facts, ends):
        return replace(delivery, state="cancelled", reason=reason, watch=None)
    if not watch.stands_by or is_released(watch, ends):
        return replace(delivery, watch=replace(watch, stands_by=False))
    last = max(other.expires_at for deliveries in awaited.values() for other in deliveries)
    wait = max(0.0, last - delivery.due_at)
    return replace(
        delivery,
        due_at=delivery.due_at + wait,
        expires_at=delivery.expires_at + wait,
        watch=replace(watch, earliest=delivery.due_at),
    )


def _ends_of(planned: Sequence[PlannedDelivery]) -> Iterator[str]:
    """Yield the deliveries whose end tells: open ones, needless ones, and whose once-key stands."""
    for delivery in planned:
        if delivery.state in {"waiting", "cancelled"}:
            yield delivery.id
        elif delivery.reason.startswith(ONCE_REASON_PREFIX):
            yield delivery.reason.removeprefix(ONCE_REASON_PREFIX)
