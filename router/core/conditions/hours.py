"""Hours of the day that have a name: when they open, and when they end.

Everything is told by instants, so that no window flickers in a night of daylight saving: a wall
time that the clock skips is the instant at which it jumps; of one that comes twice, the first
opens and the last closes.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo

from msgspec import Struct, field

from router.core.errors import Place
from router.core.model.facts import Recipient

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of a week as the file names them, in the order of `date.weekday`."""

MINUTES_OF_DAY = 24 * 60
"""Minutes of a day as the clock on the wall counts them."""

_AROUND = (-1, 0, 1)
"""The days on which a window can open that is open on day 0, with a clock set back at midnight."""


class Zones(Struct, frozen=True):
    """The time zones there are: `zone` gives one by its IANA name, None for an unknown name."""

    names: Collection[str]
    zone: Callable[[str], tzinfo | None]


UTC_ALONE = Zones(("UTC",), {"UTC": UTC}.get)


class Window(Struct, frozen=True, kw_only=True):
    """One of the file's `hours`, in minutes of the day on which it opens.

    `closes` is more than `opens`, and more than a day's minutes where the window goes past
    midnight. `zone` is None where the recipient's own counts.
    """

    name: str
    place: Place
    opens: int
    closes: int
    days: frozenset[int] = frozenset(range(7))
    zone: tzinfo | None = None

    @property
    def is_endless(self) -> bool:
        """Whether it is always open."""
        return len(self.days) == len(DAYS) and self.closes - self.opens >= MINUTES_OF_DAY

    def contains(self, at: float, zone: tzinfo) -> bool:
        """Return whether it is open at an instant (epoch seconds), by the clock of a zone."""
        return any(opens <= at < closes for opens, closes in self._spans(at, zone))

    def ends(self, at: float, zone: tzinfo) -> float:
        """Return the first instant from `at` on at which it is not open; infinite if never.

        One that opens again at the instant at which it closes has not ended.
        """
        if self.is_endless:
            return math.inf
        end = at
        while closing := [c for opens, c in self._spans(end, zone) if opens <= end < c]:
            end = max(closing)
        return end

    def _spans(self, at: float, zone: tzinfo) -> Iterator[tuple[float, float]]:
        """Give when it opens and closes around an instant."""
        today = datetime.fromtimestamp(at, zone).date()
        for distance in _AROUND:
            day = today + timedelta(days=distance)
            if day.weekday() in self.days:
                yield _instants(day, self.opens, zone)[0], _instants(day, self.closes, zone)[1]


def _instants(day: date, minutes: int, zone: tzinfo) -> tuple[float, float]:
    """Return the first and the last instant at which the clock of a zone shows a time of a day."""
    wall = datetime.combine(day, datetime.min.time(), zone) + timedelta(minutes=minutes)
    first, last = wall.timestamp(), wall.replace(fold=1).timestamp()
    if first > last:
        first = last = _jump(last, first, zone)
    return first, last


def _jump(before: float, after: float, zone: tzinfo) -> float:
    """Return the second of an interval in which a zone's offset changes."""
    offset = datetime.fromtimestamp(before, zone).utcoffset()
    low, high = int(before), int(after)
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return float(high)


class Hours(Struct, frozen=True, kw_only=True):
    """The hours of a file; `zone` is the file's, for windows and people who have none."""

    windows: Mapping[str, Window] = field(default_factory=dict)
    zones: Zones = UTC_ALONE
    zone: tzinfo = UTC

    def home(self, recipient: Recipient) -> tzinfo:
        """Return a recipient's zone: their own, else a device's of theirs, else the file's."""
        devices = (contact.device for contact in recipient.contacts if contact.device is not None)
        for name in (recipient.timezone, *(device.timezone for device in devices)):
            if name and (zone := self.zones.zone(name)) is not None:
                return zone
        return self.zone


class Calendar(Struct):
    """The hours of a file for one recipient, as of one instant.

    It works nothing out before it is asked for.
    """

    hours: Hours
    recipient: Recipient
    now: float
    _open: list[str] | None = None

    @property
    def open(self) -> list[str]:
        """The names of the hours it is now; worked out once."""
        if self._open is None:
            windows = self.hours.windows
            self._open = [n for n, w in windows.items() if w.contains(self.now, self.zone(n))]
        return self._open

    def ends(self, name: str, at: float) -> float:
        """Return when hours that are open at an instant end; that instant if they are not open."""
        return self.hours.windows[name].ends(at, self.zone(name))

    def zone(self, name: str) -> tzinfo:
        """Return the zone whose clock counts for hours of a name."""
        return self.hours.windows[name].zone or self.hours.home(self.recipient)
