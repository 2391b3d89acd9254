"""How far this machine's clock is ahead of CometChat's, told from when payloads arrive."""

from collections import deque

from msgspec import Struct

from router.core.model.notification import DAY_S

SLOT_S = 5.0
"""Seconds of which the least lag counts, so that a burst is one witness."""

SLOTS = 720
"""So many slots are remembered, and none for more than a day: an hour of lively traffic."""

MIN_AGREEING_SLOTS = 3
"""So many slots must agree before their lag is believed."""

TOLERANCE_S = 2.0
"""Seconds within which slots agree; CometChat takes about one from sending to posting."""

WARN_ABOVE_S = 5.0
"""Seconds of skew, either way, that somebody should look into."""


class _SkewSlot(Struct):
    number: int
    least: float


class ClockSkew:
    """The rolling minimum of arrival less `sentAt`, over payloads that were not seen before.

    A payload takes no time below zero to arrive, so the least lag is the skew and the quickest
    delivery. One payload proves nothing: it may be late, or bear a wrong time. Only what three
    slots agree on is believed, which settles each doubt in favour of this machine's clock:

    - a stale ring, or a burst of them, does not pass for a fresh one that met a wrong clock;
    - a backlog that is worked off does not either, for its lag falls from slot to slot;
    - one time in the future does not make everything else look old.

    Arrivals are told on a steady clock, one that is never set, and what it lacks to the wall
    clock is added when the skew is asked for. So when the wall clock jumps, by hours and either
    way, the skew has jumped with it before the next payload.
    """

    def __init__(self) -> None:
        """Know of no payload."""
        self._slots: deque[_SkewSlot] = deque(maxlen=SLOTS)
        self._floor: float | None = None
        self._believed = False

    def observe(self, sent_at: float, now: float, steady: float) -> None:
        """Take a payload that came `now` into account, unless its time is a day off or more."""
        if abs(now - sent_at) > DAY_S:
            return
        number, lag = int(steady // SLOT_S), steady - sent_at
        if self._slots and self._slots[-1].number >= number:
            if lag >= self._slots[-1].least:
                return
            self._slots[-1].least = lag
        else:
            self._slots.append(_SkewSlot(number, lag))
            while self._slots[0].number <= number - DAY_S / SLOT_S:
                self._slots.popleft()
        self._weigh()

    def believed(self, now: float, steady: float) -> float:
        """Return the seconds to add to a `sentAt` before it is held against `now`; at first 0."""
        return self.measured(now, steady) if self._believed else 0.0

    def measured(self, now: float, steady: float) -> float:
        """Return the same, or while nothing is believed the least lag there was."""
        return 0.0 if self._floor is None else self._floor + now - steady

    def _weigh(self) -> None:
        """Take the least lag that enough slots share, or else the least."""
        lags = sorted(slot.least for slot in self._slots)
        shared = (
            least
            for least, last in zip(lags, lags[MIN_AGREEING_SLOTS - 1 :], strict=False)
            if last - least <= TOLERANCE_S
        )
        found = next(shared, None)
        self._believed = found is not None
        self._floor = lags[0] if found is None else found
