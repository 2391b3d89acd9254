"""Work done once for all who ask for it at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Does work that anybody may ask for, one piece at a time, however many ask.

    Each caller gets the result of work that began after it had asked, so that no result is stale.
    With a `rest`, work is followed by a pause of so many times what it took: work of a rest of 9
    takes no more than a tenth of the time.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        rest: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Do nothing until somebody asks; the clock gives seconds."""
        self._work = work
        self._rest = rest
        self._clock = clock
        self._may_begin_at = 0.0
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def result(self) -> T:
        """Return what the next piece of work gives, or raise its error."""
        if self._next is None:
            self._next = asyncio.create_task(self._run())
        return await asyncio.shield(self._next)  # one that leaves takes nothing from the others

    async def _run(self) -> T:
        async with self._turn:
            await asyncio.sleep(max(0.0, self._may_begin_at - self._clock()))
            self._next = None  # whoever asks from now on might be told of the past
            began = self._clock()
            try:
                return await self._work()
            finally:
                ended = self._clock()
                self._may_begin_at = ended + self._rest * (ended - began)
