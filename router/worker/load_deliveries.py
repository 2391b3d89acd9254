"""What it takes to send claimed deliveries: remembered where it was just planned, else read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.telemetry import name_fault
from router.worker.outcome_writer import DOUBTS

KEPT = 1000
"""How many deliveries that wait for their turn are remembered: the first that had to wait."""

FRESH = 60.0
"""Seconds after which one makes room for another: it was cancelled, or its time is not near."""

Handed = tuple[Delivery, Notification, Contact | None]
Known = Mapping[str, tuple[Delivery, Notification]]
Read = Callable[[Sequence[str], Known], Awaitable[Sequence[Handed]]]
"""Returns leased deliveries with what it takes to send them; those gone are left out. Of those
known, only what may have changed since is read: the contact."""

_log = structlog.get_logger("router.worker")


class Reading:
    """Reads claimed deliveries together, and one by one when one of them cannot be read."""

    def __init__(self, read: Read, clock: Callable[[], float]) -> None:
        """Remember nothing yet."""
        self._read = read
        self._clock = clock
        self._known: dict[str, tuple[Delivery, Notification]] = {}
        self._since: dict[str, float] = {}

    def remember(self, delivery: Delivery, notification: Notification) -> None:
        """Keep what was just planned in memory for when it is claimed, if there is room."""
        now = self._clock()
        while len(self._known) >= KEPT:
            oldest = next(iter(self._since))
            if 0 <= now - self._since[oldest] < FRESH:
                return
            self._forget(oldest)
        self._known[delivery.id] = (delivery, notification)
        self._since[delivery.id] = now

    async def take(self, claimed: Sequence[str]) -> tuple[Sequence[Handed], Sequence[str]]:
        """Return what can be read, and the ids of what cannot; those gone are in neither."""
        known = {id_: self._known[id_] for id_ in claimed if id_ in self._known}
        for id_ in known:
            self._forget(id_)
        try:
            return await self._read(claimed, known), ()
        except Exception:  # noqa: BLE001 - one that cannot be read must not hold the others up
            return await self._take_singly(claimed, known)

    def _forget(self, delivery: str) -> None:
        del self._known[delivery], self._since[delivery]

    async def _take_singly(
        self, claimed: Sequence[str], known: Known
    ) -> tuple[Sequence[Handed], Sequence[str]]:
        found: list[Handed] = []
        failed: list[str] = []
        for done, delivery in enumerate(claimed, 1):
            try:
                found += await self._read([delivery], known)
            except Exception as fault:  # noqa: BLE001 - see above
                names = {"notification": delivery.rpartition("-")[0], "delivery": delivery}
                _log.warning("cannot be read", **names, **name_fault(fault))
                failed.append(delivery)
            if done == len(failed) == DOUBTS:
                failed += claimed[done:]
                break
        return found, failed
