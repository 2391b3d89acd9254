"""The deliveries leased to this process, and how many more it has room for."""

from collections import Counter
from collections.abc import Callable, Collection

from router.core.delivery import Delivery
from router.queue.ports import LEASE, Room
from router.worker.gate import Gate, kept_for_urgent

MEMORY = 2000
"""Deliveries in memory at most."""


class Leases:
    """Until when each delivery is leased, and how many of each channel are in memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._held: dict[str, tuple[str, bool]] = {}
        self._counts: Counter[tuple[str, bool]] = Counter()

    def __len__(self) -> int:
        return len(self._until)

    def all(self) -> set[str]:
        """Return the ids of all there are."""
        return set(self._until)

    def put(self, delivery: str, until: float) -> bool:
        """Note a lease; return whether the delivery is new here."""
        is_new = delivery not in self._until
        self._until[delivery] = until
        return is_new

    def hold(self, delivery: Delivery) -> bool:
        """Count a delivery as in memory; return False if it already was."""
        if delivery.id in self._held:
            return False
        kind = self._held[delivery.id] = (delivery.channel, delivery.urgent)
        self._counts[kind] += 1
        return True

    def drop(self, delivery: str) -> str | None:
        """Forget a delivery; return its channel if it was in memory."""
        self._until.pop(delivery, None)
        kind = self._held.pop(delivery, None)
        if kind is None:
            return None
        self._counts[kind] -= 1
        return kind[0]

    def is_current(self, delivery: str) -> bool:
        """Return whether the lease has not run out."""
        return self._until.get(delivery, 0.0) > self._clock()

    def ageing(self) -> list[str]:
        """Return the ids of leases past half-time."""
        latest = self._clock() + LEASE / 2
        return [delivery for delivery, until in self._until.items() if until < latest]

    def extend(self, deliveries: Collection[str], until: float) -> None:
        """Note that those of the leases that are still here last longer."""
        self._until.update((d, until) for d in deliveries if d in self._until)

    def room(self, channel: str, gate: Gate, *, promised: int, channels: int) -> Room:
        """Return how many more of a channel may be taken.

        Twice as many are kept in memory as may be in flight, so that slots never wait for the
        queue, and never more than the channel's share, so that a slow one leaves room to others.
        """
        share = gate.slots if gate.probing else min(2 * gate.slots, MEMORY // max(1, channels))
        ordinary = self._counts[channel, False] + promised
        slots = share - ordinary - self._counts[channel, True]
        return Room(
            slots=max(0, slots),
            ordinary=max(0, min(slots, share - kept_for_urgent(share) - ordinary)),
        )
