"""Reading: how far conversations were read is written, and what that makes needless cancelled."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from router.core.model.facts import ReadMarker
from router.core.model.notification import MINUTE_S
from router.core.model.read_receipt import ReadReceipt
from router.core.model.unless import place_of, read_key
from router.queue.accept import ACCEPT_TIMEOUT_S, MAX_WAITING_WRITES
from router.store.db.group_commit import WriteOperation, WriteOrder
from router.store.schema.rows import decode_watch, storable_text
from router.store.schema.state_tables import watches
from router.store.schema.tables import deliveries
from router.store.state.call_and_read_state import write_read_markers
from router.store.state.cancellation import apply_events

TimedReceipt = tuple[ReadReceipt, float]
"""A receipt, and when it came (epoch seconds)."""

MAX_CLOCK_AHEAD_S = 5 * MINUTE_S
"""Seconds by which a time of CometChat's may be ahead of this clock; later it is the arrival's."""

_watching = (
    select(watches.c.key, deliveries.c.unless)
    .join(deliveries, deliveries.c.id == watches.c.delivery)
    .where(watches.c.key.in_(bindparam("keys", expanding=True)))
)


def record_read_receipts(connection: Connection, receipts: Sequence[TimedReceipt]) -> list[None]:
    """Write what was read, and cancel what waits for nobody to read it.

    Where a receipt does not tell the conversation, that of a delivery which waits for the message
    is taken; while none does, the message alone counts as read.
    """
    places = _find_places(connection, [receipt for receipt, _ in receipts])
    markers = [
        ((receipt.app_id, receipt.uid, place), _to_read_marker(receipt, now))
        for receipt, now in receipts
        for place in places[receipt]
    ]
    write_read_markers(connection, markers)
    apply_events(
        connection, {read_key(*key) for key, _ in markers}, max(now for _, now in receipts)
    )
    return [None] * len(receipts)


RECORD_READ_RECEIPTS: WriteOperation[TimedReceipt, None] = WriteOperation(
    name="hear",
    rank=WriteOrder.SETTLE,
    apply=record_read_receipts,
    queue=MAX_WAITING_WRITES,
    patience=ACCEPT_TIMEOUT_S,
)


def _to_read_marker(receipt: ReadReceipt, now: float) -> ReadMarker:
    read_at = receipt.read_at
    is_told = read_at is not None and read_at <= now + MAX_CLOCK_AHEAD_S
    return ReadMarker(receipt.number, read_at if read_at is not None and is_told else now)


def _find_places(
    connection: Connection, receipts: Sequence[ReadReceipt]
) -> dict[ReadReceipt, set[str]]:
    """Return the conversations of receipts, or what stands for one."""
    keys: dict[str, list[ReadReceipt]] = {}
    places: dict[ReadReceipt, set[str]] = {}
    for receipt in receipts:
        places[receipt] = {receipt.conversation or place_of(receipt.message)}
        key = read_key(receipt.app_id, receipt.uid, place_of(receipt.message))
        keys.setdefault(storable_text(key), []).append(receipt)
    for row in connection.execute(_watching, {"keys": sorted(keys)}):
        for receipt in keys[row.key] if row.unless else ():
            places[receipt].add(decode_watch(row.unless).conversation)
    return places
