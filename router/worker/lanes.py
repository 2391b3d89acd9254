"""What waits in memory for its turn: a lane for each channel and address."""

from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification


class Handout(NamedTuple):
    """A leased delivery with what it takes to send it; the contact is None if it has none."""

    delivery: Delivery
    notification: Notification
    contact: Contact | None


class Rank(NamedTuple):
    """The order within a lane and between lanes: urgent first, then as accepted."""

    ordinary: bool
    notification: str
    digits: int
    delivery: str


Lane = tuple[str, str]


class Lanes:
    """Gives out what waits so that of a lane no two are out at once.

    Each lane is a heap; each channel has a heap of the heads of its lanes that are free. Heads
    that were overtaken or given out stay there until they surface, and are then thrown away.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[tuple[Rank, Handout]]] = {}
        self._heads: dict[str, list[tuple[Rank, Lane]]] = {}
        self._out: set[Lane] = set()
        self._waiting: Counter[tuple[str, bool]] = Counter()

    def waiting(self, channel: str) -> tuple[int, int]:
        """Return how many deliveries of a channel wait here, and how many of them not urgent."""
        ordinary = self._waiting[channel, True]
        return self._waiting[channel, False] + ordinary, ordinary

    def put(self, handout: Handout) -> None:
        """Let a delivery wait for its turn."""
        lane = lane_of(handout)
        rank = _rank(handout.delivery)
        heap = self._lanes.setdefault(lane, [])
        heappush(heap, (rank, handout))
        self._waiting[lane[0], rank.ordinary] += 1
        if lane not in self._out and heap[0][0] is rank:
            heappush(self._heads.setdefault(lane[0], []), (rank, lane))

    def next(self, channel: str, *, urgent_only: bool = False) -> Handout | None:
        """Return the first delivery of a channel whose lane is free, and take the lane."""
        heads = self._heads.get(channel, [])
        while heads:
            rank, lane = heads[0]
            heap = self._lanes.get(lane)
            if lane in self._out or not heap or heap[0][0] != rank:
                heappop(heads)
                continue
            if urgent_only and rank.ordinary:
                return None
            heappop(heads)
            self._out.add(lane)
            self._waiting[channel, rank.ordinary] -= 1
            return heappop(heap)[1]
        return None

    def free(self, handout: Handout) -> None:
        """Give the lane of a delivery free that `next` gave out."""
        lane = lane_of(handout)
        self._out.discard(lane)
        heap = self._lanes[lane]
        if heap:
            heappush(self._heads.setdefault(lane[0], []), (heap[0][0], lane))
        else:
            del self._lanes[lane]

    def withdraw(self, which: Callable[[Handout], bool]) -> list[Handout]:
        """Return what waits for its turn and is such a one, and forget it."""
        gone: list[Handout] = []
        for lane, heap in list(self._lanes.items()):
            kept = [each for each in heap if not which(each[1])]
            if len(kept) == len(heap):
                continue
            for rank, handout in heap:
                if which(handout):
                    self._waiting[lane[0], rank.ordinary] -= 1
                    gone.append(handout)
            heapify(kept)
            self._lanes[lane] = kept
            if lane in self._out:
                continue
            if kept:
                heappush(self._heads.setdefault(lane[0], []), (kept[0][0], lane))
            else:
                del self._lanes[lane]
        return gone

    def clear(self, channel: str) -> list[Handout]:
        """Return everything that waits for a channel, and forget it."""
        gone = [
            handout
            for lane, heap in self._lanes.items()
            if lane[0] == channel
            for _, handout in heap
        ]
        for lane in [lane for lane in self._lanes if lane[0] == channel]:
            if lane in self._out:
                self._lanes[lane] = []
            else:
                del self._lanes[lane]
        self._heads.pop(channel, None)
        del self._waiting[channel, True], self._waiting[channel, False]
        return gone


def lane_of(handout: Handout) -> Lane:
    """Return the lane of a delivery: its channel and where it goes."""
    delivery = handout.delivery
    return delivery.channel, delivery.lane or delivery.address


def recipient_of(handout: Handout) -> str:
    """Return the uid of whom a delivery reaches; of a fixed destination, the notification's.

    The end of a call goes to everybody whose devices rang, by the notification of one of them.
    """
    whose = handout.contact.uid if handout.contact else ""
    return whose or handout.notification.uid


def _rank(delivery: Delivery) -> Rank:
    return Rank(not delivery.urgent, delivery.notification, len(delivery.id), delivery.id)
