"""The memory that request bodies take together, so that no sender takes it from the others.

A sender who has shown a password may hold its bytes until the answer. One whose signature is proven
by the whole body alone has shown nothing yet: while its body comes in, it gives way to a newer one
when there is no room. An honest body is there within milliseconds, so it is never the oldest for
long; somebody who holds many connections with half a body each takes room from himself alone. A
share for each address would not tell senders apart behind a proxy.
"""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class BudgetExhausted(Exception):  # noqa: N818 - it names a state of the budget
    """There is no room for a body; its sender should come again."""


class BodyBudget:
    """Counts the bytes of all bodies, from the first one read to the answer."""

    def __init__(self, size: int) -> None:
        """Allow so many bytes together."""
        self.free = size
        self._yielding: dict[BodyShare, None] = {}  # in the order of their first bytes

    def share(self, *, is_proven: bool) -> "BodyShare":
        """Return the share of one body, which ends with its `with` block."""
        return BodyShare(self, self._yielding, is_proven=is_proven)

    def take(self, size: int, share: "BodyShare") -> None:
        """Give a share so many bytes, at the cost of unproven ones; raises `BudgetExhausted`."""
        self.free -= size
        while self.free < 0:
            oldest = next(iter(self._yielding), None)
            if oldest is None or oldest is share:
                raise BudgetExhausted
            oldest.evict()


class BodyShare:
    """The bytes of one body, which are given back at the end of a `with` block."""

    def __init__(
        self, budget: BodyBudget, yielding: dict["BodyShare", None], *, is_proven: bool
    ) -> None:
        """Hold nothing yet; `yielding` has the shares that give way, the oldest first."""
        self._budget = budget
        self._yielding = yielding
        self._is_proven = is_proven
        self._chunks: list[bytes] = []
        self._wait: asyncio.Timeout | None = None
        self._is_evicted = False
        self.size = 0

    def __enter__(self) -> Self:
        """Begin to hold bytes."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back what is held."""
        self._release()

    def add(self, chunk: bytes) -> None:
        """Hold more of the body; raises `BudgetExhausted` where there is no room for it."""
        self._chunks.append(chunk)
        self.size += len(chunk)
        self._budget.take(len(chunk), self)

    async def wait_for(self, event: Awaitable[T]) -> T:
        """Return what an event brings; raises `BudgetExhausted` once the share gives way."""
        if self._is_proven or not self.size:
            return await event
        self._yielding.setdefault(self)
        try:
            async with asyncio.timeout(None) as self._wait:
                brought = await event
        except TimeoutError:
            raise BudgetExhausted from None
        if self._is_evicted:  # and the event came before the wait was over
            raise BudgetExhausted
        return brought

    def join(self) -> bytes:
        """Return the body, which is whole: from now on it gives way to nobody."""
        self._yielding.pop(self, None)
        return b"".join(self._chunks)

    def evict(self) -> None:
        """Give back what is held, and end the wait for more."""
        self._is_evicted = True
        self._release()
        if self._wait is not None:
            self._wait.reschedule(asyncio.get_running_loop().time())

    def _release(self) -> None:
        self._yielding.pop(self, None)
        self._chunks.clear()
        self._budget.free += self.size
        self.size = 0
