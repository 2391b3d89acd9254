"""Claiming: what is due is leased, in order, one at a time for each lane.

A delivery that is met while its lane is busy is parked: it leaves the line, so that a thousand
messages to one address do not stand in everybody's way; so is one whose lane is held. The first
of them is let out again when its lane is free. Urgent ones are never parked. One that follows
another (an edit, a call's end) stays in line, and is passed over, until what it follows has ended.

One that has been handed out so often without an answer that the next is its last goes when no
other such one is out: where one delivery ends the process each time, those that were in hand with
it are not taken for it.

Of several processes one claims at a time, since what another has locked cannot be told from what
is not there. Planning leases too: whoever leases in a lane locks it first.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from router.core.model.retry import MAX_HANDOUTS
from router.core.model.unless import BY_OPERATOR
from router.queue.channels import read_holds
from router.queue.pending_edits import review_edits
from router.queue.ports import ALL_CHANNELS, Capacity, Lease
from router.store.db.bulk import execute_many
from router.store.db.distinct import select_distinct
from router.store.db.locks import is_shared, try_lock, try_locks
from router.store.schema.rows import AnyRow
from router.store.schema.tables import (
    are_open,
    contacts,
    deliveries,
    is_in_line,
    is_parked,
    is_sending,
    is_waiting,
    lane_holds,
)
from router.store.state.cancellation import ENDING, end_deliveries, find_needless

MAX_EXPIRED_PER_CLAIM = 500
"""How many deliveries past their expiry one claim ends."""
MAX_READ_AT_ONCE = 500
"""How many candidates are read in one go, at most."""
FIRST_READ_COUNT = 16
"""How many are read first; where the first ones must wait, more are read at a time."""
MAX_CANDIDATES_PER_CLAIM = 2000
"""How many candidates of a channel one claim reads; the next claim goes on from there."""

_MAX_PARKED = 2**31 - 1
_NEVER, _SOMETIMES, _ANY = (0, 0), (1, _MAX_PARKED), (0, _MAX_PARKED)
_SENT = ((True, _ANY), (False, _ANY))
"""The order in which deliveries are taken: whether urgent, and how often refused."""
_PROBED = ((False, _NEVER), (True, _NEVER), (False, _SOMETIMES), (True, _SOMETIMES))
"""The order in which one is taken as a probe."""

_row = deliveries.c
_rival = deliveries.alias("rival")
_busy = or_(
    exists().where(
        and_(_rival.c.lane_hash == _row.lane_hash, _rival.c.state == literal_column("'sending'"))
    ),
    func.coalesce(lane_holds.c.until, literal_column("0")) > bindparam("now"),
)
_refusals = func.coalesce(lane_holds.c.refusals, literal_column("0"))
_earlier = and_(
    _rival.c.lane_hash == _row.lane_hash,
    _rival.c.about == _row.about,
    _rival.c.id < _row.id,
)
_early = and_(
    _row.follows,
    or_(
        *(exists().where(and_(_earlier, is_open)) for is_open in are_open(_rival)),
    ),
)
_gone = and_(_row.contact != "", contacts.c.id.is_(None))
_line = (
    select(
        *(_row.id, _row.notification, _row.channel, _row.urgent, _row.due_at, _row.lane_hash),
        *(_row.handouts, _row.unless, _row.awaited, _row.operation, _row.original),
        _busy.label("busy"),
        _early.label("early"),
        _gone.label("gone"),
        _refusals.label("refusals"),
    )
    .select_from(
        deliveries.outerjoin(contacts, contacts.c.id == _row.contact).outerjoin(
            lane_holds, lane_holds.c.lane_hash == _row.lane_hash
        )
    )
    .where(
        is_in_line,
        _row.channel == bindparam("channel"),
        _row.urgent == bindparam("urgent"),
        _row.due_at <= bindparam("now"),
        _refusals.between(bindparam("least"), bindparam("most_refusals")),
        tuple_(_row.due_at, _row.id) > tuple_(bindparam("due_at"), bindparam("id")),
    )
    .order_by(_row.due_at, _row.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=deliveries)
)
_sent, _parked = deliveries.alias("sent"), deliveries.alias("parked")
_too_early = select(_row.id).where(
    _row.id.in_(bindparam("ids", expanding=True)),
    or_(
        exists().where(
            _sent.c.state == literal_column("'sending'"), _sent.c.lane_hash == _row.lane_hash
        ),
        exists().where(
            *(~_row.urgent, are_open(_parked)[1], _parked.c.lane_hash == _row.lane_hash),
            tuple_(_parked.c.due_at, _parked.c.id) < tuple_(_row.due_at, _row.id),
        ),
    ),
)
_last_out = select(_row.id).where(is_sending, _row.handouts >= MAX_HANDOUTS).limit(1)
_waiting_channels = select_distinct(_row.channel, is_in_line)
_parked_lanes = select_distinct(_row.lane_hash, is_parked)
_first_parked = (
    select(_row.id)
    .where(is_parked, _row.lane_hash == bindparam("of_lane"))
    .order_by(_row.due_at, _row.id)
    .limit(1)
    .correlate(None)
)
_let_first_out = (
    update(deliveries).where(_row.id == _first_parked.scalar_subquery()).values(parked=0)
)
_end_lane_holds = delete(lane_holds).where(
    lane_holds.c.refusals == literal_column("0"), lane_holds.c.until <= bindparam("now")
)


def claim(  # noqa: PLR0913 - as the port has it, and for whom
    connection: Connection,
    *,
    owner: str,
    now: float,
    until: float,
    limit: int,
    room: Mapping[str, Capacity] | None,
) -> list[Lease] | None:
    """Lease what is due and can be sent now; None while another process claims."""
    # Two processes that read a lane at the same time would both find it free.
    if not try_lock(connection, "claim"):
        return None
    reclaim_expired_leases(connection, now, now)
    _end_expired(connection, now)
    _unpark_first_of_free_lanes(connection, now)
    rooms = _open_capacities(connection, now, limit, room)
    is_last_out = connection.execute(_last_out).scalar() is not None
    found = chain.from_iterable(
        _choose_deliveries(connection, *item, now, is_last_out=is_last_out)
        for item in rooms.items()
    )
    chosen = sorted(found, key=lambda row: (not row.urgent, row.due_at, row.id))[:limit]
    if is_shared(connection):
        chosen = _lock_lanes(connection, chosen)
    if chosen:
        connection.execute(
            update(deliveries)
            .where(_row.id.in_([row.id for row in chosen]))
            .values(state="sending", lease_until=until, leased_to=owner, handouts=_row.handouts + 1)
        )
    return [
        Lease(delivery=row.id, channel=row.channel, until=until, refusals=row.refusals)
        for row in chosen
    ]


def _lock_lanes(connection: Connection, chosen: Collection[AnyRow]) -> list[AnyRow]:
    """Return those whose turn it still is, whatever other processes did since they were read.

    None is sent in its lane, and none has leased or will; a lane that only now came free has its
    first still parked.
    """
    ours = try_locks(connection, {row.lane_hash for row in chosen})
    ids = [row.id for row in chosen if row.lane_hash in ours]
    too_early = set(connection.execute(_too_early, {"ids": ids}).scalars())
    return [row for row in chosen if row.lane_hash in ours and row.id not in too_early]


def reclaim_expired_leases(connection: Connection, lost_at: float, now: float) -> None:
    """Let those whose lease ran out by then wait again, or end them if that happens every time."""
    lost = select(*ENDING, _row.handouts, _row.cancel_requested)
    lost = lost.where(is_sending, _row.lease_until <= lost_at)
    rows = connection.execute(lost.with_for_update(skip_locked=True)).all()
    unwanted = [row for row in rows if row.cancel_requested]
    rows = [row for row in rows if not row.cancel_requested]
    again = [row.id for row in rows if row.handouts < MAX_HANDOUTS]
    if again:
        connection.execute(
            update(deliveries).where(_row.id.in_(again)).values(state="waiting", lease_until=0.0)
        )
    crashed = [row for row in rows if row.handouts >= MAX_HANDOUTS]
    end_deliveries(connection, crashed, "dead", "crash_loop", now)
    end_deliveries(connection, unwanted, "cancelled", BY_OPERATOR, now)


def _end_expired(connection: Connection, now: float) -> None:
    rows = connection.execute(
        select(*ENDING)
        .where(is_waiting, _row.expires_at <= now)
        .limit(MAX_EXPIRED_PER_CLAIM)
        .with_for_update(skip_locked=True)
    ).all()
    end_deliveries(connection, rows, "expired", "expired before it was sent", now)


def _unpark_first_of_free_lanes(connection: Connection, now: float) -> None:
    """Put the first parked delivery of every free lane back in line."""
    lanes = set(connection.execute(_parked_lanes).scalars())
    if not lanes:
        return
    connection.execute(_end_lane_holds, {"now": now})
    sent = select(_row.lane_hash).where(is_sending, _row.lane_hash.in_(lanes))
    kept = select(lane_holds.c.lane_hash).where(
        lane_holds.c.lane_hash.in_(lanes), lane_holds.c.until > now
    )
    busy = connection.execute(union_all(sent, kept)).scalars()
    free = sorted(lanes.difference(busy))
    if free:
        execute_many(connection, _let_first_out, [{"of_lane": lane} for lane in free])


def _open_capacities(
    connection: Connection, now: float, limit: int, room: Mapping[str, Capacity] | None
) -> dict[str, Capacity]:
    if room is None:
        whole = Capacity(slots=limit, non_urgent=limit)
        room = dict.fromkeys(connection.execute(_waiting_channels).scalars(), whole)
    held = {held.channel for held in read_holds(connection, now) if not held.host}
    if ALL_CHANNELS in held:
        return {}
    return {channel: capacity for channel, capacity in room.items() if channel not in held}


def _choose_deliveries(
    connection: Connection, channel: str, room: Capacity, now: float, *, is_last_out: bool
) -> list[AnyRow]:
    """Return what a channel can send now, cancel what is needless, and park what must wait."""
    chosen: list[AnyRow] = []
    parked: list[str] = []
    needless: dict[str, list[AnyRow]] = {}
    lanes: set[int] = set()
    for urgent, refused in _PROBED if room.probes else _SENT:
        left = min(room.slots if urgent else room.non_urgent, room.slots - len(chosen))
        line = _read_line(connection, channel, now, left, chosen, urgent=urgent, refused=refused)
        for row, early, why in line:
            if why:
                needless.setdefault(why, []).append(row)
            elif row.busy or row.lane_hash in lanes:
                # What is parked is not read again at every claim, or a long lane would cost its
                # length each time. Urgent ones stay in line: they are few, and go first.
                parked += [] if urgent else [row.id]
            elif left == 0:
                break
            elif early:
                continue
            # Of those on their last lease one is out at a time: when the process crashes again,
            # that one is to blame, and no other is dead for it.
            elif is_last_out and row.handouts == MAX_HANDOUTS - 1:
                lanes.add(row.lane_hash)
            else:
                chosen.append(row)
                is_last_out |= row.handouts == MAX_HANDOUTS - 1
                lanes.add(row.lane_hash)
                left -= 1
    for why, rows in needless.items():
        end_deliveries(connection, rows, "cancelled", why, now)
    if parked:
        connection.execute(update(deliveries).where(_row.id.in_(parked)).values(parked=1))
    return chosen


def _read_line(  # noqa: PLR0913 - which line, and what was made of the others
    connection: Connection,
    channel: str,
    now: float,
    wanted: int,
    chosen: Sequence[AnyRow],
    *,
    urgent: bool,
    refused: tuple[int, int],
) -> Iterator[tuple[AnyRow, bool, str]]:
    """Yield what is due, each with whether that is too early, and why it need not go.

    `refused` is how many times its lane was refused, at least and at most.
    """
    due_at, id_ = float("-inf"), ""
    most, read = wanted and min(MAX_READ_AT_ONCE, wanted + FIRST_READ_COUNT), 0
    while most > 0 and read < MAX_CANDIDATES_PER_CLAIM:
        rows = connection.execute(
            _line,
            {
                "channel": channel,
                "urgent": urgent,
                "now": now,
                "due_at": due_at,
                "id": id_,
                "most": most,
                "least": refused[0],
                "most_refusals": refused[1],
            },
        ).all()
        changes = review_edits(connection, rows, [row.id for row in chosen], now)
        needless = {**changes.needless, **find_needless(connection, rows)}
        for row in rows:
            if row.id in changes.ended:
                continue
            why = "contact_gone" if row.gone else needless.get(row.id, "")
            yield row, row.early or row.id in changes.early, why
        if len(rows) < most:
            return
        due_at, id_ = rows[-1].due_at, rows[-1].id
        read, most = read + most, min(MAX_READ_AT_ONCE, most * 4)
