"""Giving up on futures that take too long."""

import asyncio
from collections import deque
from typing import Any

from router.store.errors import StoreUnavailable


class FutureTimeouts:
    """Fails futures that are not done some seconds after they were added.

    All share one timer, because one for each would cost more than what most of them wait for.
    """

    def __init__(self, seconds: float) -> None:
        """Give each future so long."""
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._ends: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any]) -> None:
        """Watch a future from now on."""
        end = self._loop.time() + self._seconds
        self._ends.append((end, future))
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._check_timeouts)

    def _check_timeouts(self) -> None:
        now = self._loop.time()
        while self._ends and (self._ends[0][0] <= now or self._ends[0][1].done()):
            _, future = self._ends.popleft()
            if not future.done():
                future.set_exception(StoreUnavailable(f"not durable within {self._seconds:g} s"))
        self._timer = None
        if self._ends:
            self._timer = self._loop.call_at(self._ends[0][0], self._check_timeouts)
