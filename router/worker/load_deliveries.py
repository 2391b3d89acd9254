"""What it takes to send claimed deliveries: remembered where it was just planned, else read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.telemetry import describe_exception
from router.worker.outcome_writer import MAX_CONSECUTIVE_FAILURES

MAX_REMEMBERED = 1000
"""How many deliveries that wait for their turn are remembered: the first that had to wait."""

MIN_REMEMBERED_S = 60.0
"""Seconds after which one makes room for another: it was cancelled, or its time is not near."""

LoadedDelivery = tuple[Delivery, Notification, Contact | None]
KnownDeliveries = Mapping[str, tuple[Delivery, Notification]]
ReadDeliveries = Callable[[Sequence[str], KnownDeliveries], Awaitable[Sequence[LoadedDelivery]]]
"""Returns leased deliveries with what it takes to send them; those gone are left out. Of those
known, only what may have changed since is read: the contact."""

_log = structlog.get_logger(__name__)


class DeliveryLoader:
    """Reads claimed deliveries together, and one by one when one of them cannot be read."""

    def __init__(self, read: ReadDeliveries, clock: Callable[[], float]) -> None:
        """Remember nothing yet."""
        self._read = read
        self._clock = clock
        self._remembered: dict[str, tuple[Delivery, Notification]] = {}
        self._remembered_since: dict[str, float] = {}

    def remember(self, delivery: Delivery, notification: Notification) -> None:
        """Keep what was just planned in memory for when it is claimed, if there is room."""
        now = self._clock()
        while len(self._remembered) >= MAX_REMEMBERED:
            oldest = next(iter(self._remembered_since))
            if 0 <= now - self._remembered_since[oldest] < MIN_REMEMBERED_S:
                return
            self._forget(oldest)
        self._remembered[delivery.id] = (delivery, notification)
        self._remembered_since[delivery.id] = now

    async def load(self, claimed: Sequence[str]) -> tuple[Sequence[LoadedDelivery], Sequence[str]]:
        """Return what can be read, and the ids of what cannot; those gone are in neither."""
        remembered = {id_: self._remembered[id_] for id_ in claimed if id_ in self._remembered}
        for id_ in remembered:
            self._forget(id_)
        try:
            return await self._read(claimed, remembered), ()
        except Exception:  # noqa: BLE001 - one that cannot be read must not hold the others up
            return await self._load_singly(claimed, remembered)

    def _forget(self, delivery: str) -> None:
        del self._remembered[delivery], self._remembered_since[delivery]

    async def _load_singly(
        self, claimed: Sequence[str], known: KnownDeliveries
    ) -> tuple[Sequence[LoadedDelivery], Sequence[str]]:
        loaded: list[LoadedDelivery] = []
        failed: list[str] = []
        for done, delivery in enumerate(claimed, 1):
            try:
                loaded += await self._read([delivery], known)
            except Exception as fault:  # noqa: BLE001 - see above
                _log.warning(
                    "delivery load failed",
                    notification=delivery.rpartition("-")[0],
                    delivery=delivery,
                    **describe_exception(fault),
                )
                failed.append(delivery)
            if done == len(failed) == MAX_CONSECUTIVE_FAILURES:
                failed += claimed[done:]
                break
        return loaded, failed
