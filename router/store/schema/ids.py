"""Ids that grow with time, so that rows land at the end of their index."""

from collections.abc import Callable


class IdGenerator:
    """Mints ids of 28 hexadecimal digits: milliseconds, then noise.

    Within a process each id is greater than the one before, whatever the clock does.
    """

    def __init__(self, dice: Callable[[], float]) -> None:
        """Take the noise from dice, which give floats in [0, 1)."""
        self._dice = dice
        self._last = 0

    def mint(self, now: float) -> str:
        """Return a new id for a moment in epoch seconds."""
        noise = int(self._dice() * 2**32) << 31 | int(self._dice() * 2**31)
        self._last = max(self._last + 1, (int(now * 1000) << 64) + noise)
        return f"{self._last:028x}"


def first_id_at(time: float) -> str:
    """Return what no id minted at or after a moment is less than."""
    return f"{max(0, int(time * 1000)):012x}"
