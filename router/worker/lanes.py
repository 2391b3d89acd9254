"""What waits in memory for its turn: a lane for each channel and address."""

from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from router.core.model.delivery import Delivery
from router.core.model.facts import Contact
from router.core.model.notification import Notification


class SendJob(NamedTuple):
    """A leased delivery with what it takes to send it; the contact is None if it has none."""

    delivery: Delivery
    notification: Notification
    contact: Contact | None


class LanePriority(NamedTuple):
    """The order within a lane and between lanes: urgent first, then as accepted."""

    non_urgent: bool
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
        self._lanes: dict[Lane, list[tuple[LanePriority, SendJob]]] = {}
        self._heads: dict[str, list[tuple[LanePriority, Lane]]] = {}
        self._busy_lanes: set[Lane] = set()
        self._waiting: Counter[tuple[str, bool]] = Counter()

    def waiting(self, channel: str) -> tuple[int, int]:
        """Return how many deliveries of a channel wait here, and how many of them not urgent."""
        non_urgent = self._waiting[channel, True]
        return self._waiting[channel, False] + non_urgent, non_urgent

    def put(self, job: SendJob) -> None:
        """Let a delivery wait for its turn."""
        lane = lane_of(job)
        rank = _rank(job.delivery)
        heap = self._lanes.setdefault(lane, [])
        heappush(heap, (rank, job))
        self._waiting[lane[0], rank.non_urgent] += 1
        if lane not in self._busy_lanes and heap[0][0] is rank:
            heappush(self._heads.setdefault(lane[0], []), (rank, lane))

    def next(self, channel: str, *, urgent_only: bool = False) -> SendJob | None:
        """Return the first delivery of a channel whose lane is free, and take the lane."""
        heads = self._heads.get(channel, [])
        while heads:
            rank, lane = heads[0]
            heap = self._lanes.get(lane)
            # A head that was overtaken or given out is thrown away only here: to find it inside
            # the heap when that happened would cost the heap's length each time.
            if lane in self._busy_lanes or not heap or heap[0][0] != rank:
                heappop(heads)
                continue
            if urgent_only and rank.non_urgent:
                return None
            heappop(heads)
            self._busy_lanes.add(lane)
            self._waiting[channel, rank.non_urgent] -= 1
            return heappop(heap)[1]
        return None

    def release_lane(self, job: SendJob) -> None:
        """Give the lane of a delivery free that `next` gave out."""
        lane = lane_of(job)
        self._busy_lanes.discard(lane)
        heap = self._lanes[lane]
        if heap:
            heappush(self._heads.setdefault(lane[0], []), (heap[0][0], lane))
        else:
            del self._lanes[lane]

    def remove_matching(self, which: Callable[[SendJob], bool]) -> list[SendJob]:
        """Return what waits for its turn and is such a one, and forget it."""
        removed: list[SendJob] = []
        for lane, heap in list(self._lanes.items()):
            kept = [entry for entry in heap if not which(entry[1])]
            if len(kept) == len(heap):
                continue
            for rank, job in heap:
                if which(job):
                    self._waiting[lane[0], rank.non_urgent] -= 1
                    removed.append(job)
            heapify(kept)
            self._lanes[lane] = kept
            if lane in self._busy_lanes:
                continue
            if kept:
                heappush(self._heads.setdefault(lane[0], []), (kept[0][0], lane))
            else:
                del self._lanes[lane]
        return removed

    def clear(self, channel: str) -> list[SendJob]:
        """Return everything that waits for a channel, and forget it."""
        removed = [
            job for lane, heap in self._lanes.items() if lane[0] == channel for _, job in heap
        ]
        for lane in [lane for lane in self._lanes if lane[0] == channel]:
            if lane in self._busy_lanes:
                self._lanes[lane] = []  # `release_lane` still looks it up when its send ends
            else:
                del self._lanes[lane]
        self._heads.pop(channel, None)
        del self._waiting[channel, True], self._waiting[channel, False]
        return removed


def lane_of(job: SendJob) -> Lane:
    """Return the lane of a delivery: its channel and where it goes."""
    delivery = job.delivery
    return delivery.channel, delivery.lane or delivery.address


def recipient_of(job: SendJob) -> str:
    """Return the uid of whom a delivery reaches; of a fixed destination, the notification's.

    The end of a call goes to everybody whose devices rang, by the notification of one of them.
    """
    whose = job.contact.uid if job.contact else ""
    return whose or job.notification.uid


def _rank(delivery: Delivery) -> LanePriority:
    return LanePriority(not delivery.urgent, delivery.notification, len(delivery.id), delivery.id)
