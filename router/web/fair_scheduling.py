"""Taking turns on the event loop, so that a burst does not starve the writer."""

import asyncio
import time

MAX_WORK_S = 0.05
"""Seconds that requests may work before everybody else has had a turn."""


class FairnessBudget:
    """The time requests have worked since everybody else had a turn.

    When thousands arrive at once, the loop has a task for each, and would decode them all before
    it looked at the commit of the first: by then each would have waited longer than it may.
    """

    def __init__(self) -> None:
        """Begin with the first request."""
        self._began: float | None = None

    def is_over(self) -> bool:
        """Return whether others are to have a turn now."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)  # behind all that is ready by now
        return now - self._began > MAX_WORK_S

    def _end(self) -> None:
        self._began = None
