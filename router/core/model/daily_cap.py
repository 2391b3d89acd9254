"""Daily caps: the most sends of a channel, or of an app, on one day of UTC."""

from functools import lru_cache
from typing import Literal

from msgspec import Struct

CAP_PATTERN = "^[1-9][0-9]{0,8}/day$"
"""The form of a cap in the rules, as `5000/day`."""

DAY_S = 86400.0

CAPPED = "cap"
"""The reason of a delivery that waits for the next day because of its app's cap."""


class Cap(Struct, frozen=True):
    """The most sends of a channel or an app on one day; a `limit` of 0 is none."""

    scope: Literal["channel", "app"]
    name: str
    limit: int


@lru_cache(maxsize=1024)
def parse_cap(text: str) -> int:
    """Return how many sends a day `5000/day` allows; 0 for an empty text, which sets no cap."""
    return int(text.partition("/")[0]) if text else 0


def day_of(time: float) -> int:
    """Return the number of the day of UTC that an epoch second falls on."""
    return int(time // DAY_S)


def end_of(day: int) -> float:
    """Return the epoch second in which the following day begins."""
    return (day + 1) * DAY_S
