"""The deliveries leased to this process."""

from collections.abc import Callable, Collection

from router.queue.ports import LEASE_S


class Leases:
    """Until when each delivery is leased, and of which channel it is once it has been read."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._channels: dict[str, str] = {}
        self._refusals: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._until)

    def all(self) -> set[str]:
        """Return the ids of all there are."""
        return set(self._until)

    def put(self, delivery: str, until: float, refusals: int = 0) -> bool:
        """Note a lease; return whether the delivery is new here.

        `refusals` is how many times its lane was refused, and not served since.
        """
        is_new = delivery not in self._until
        self._until[delivery] = until
        if refusals:
            self._refusals[delivery] = refusals
        return is_new

    def refusals(self, delivery: str) -> int:
        """Return how many times the lane of a delivery was refused, and not served since."""
        return self._refusals.get(delivery, 0)

    def mark_loaded(self, delivery: str, channel: str) -> None:
        """Note that a delivery has been read, and is in memory now."""
        self._channels[delivery] = channel

    def drop(self, delivery: str) -> str | None:
        """Forget a delivery; return its channel if it was in memory."""
        self._until.pop(delivery, None)
        self._refusals.pop(delivery, None)
        return self._channels.pop(delivery, None)

    def is_current(self, delivery: str) -> bool:
        """Return whether the lease has not run out."""
        return self._until.get(delivery, 0.0) > self._clock()

    def list_expiring(self) -> list[str]:
        """Return the ids of leases past half-time."""
        # At half-time, so that a renewal that fails can be tried again before others take over.
        latest = self._clock() + LEASE_S / 2
        return [delivery for delivery, until in self._until.items() if until < latest]

    def extend(self, deliveries: Collection[str], until: float) -> None:
        """Note that those of the leases that are still here last longer."""
        self._until.update((d, until) for d in deliveries if d in self._until)
