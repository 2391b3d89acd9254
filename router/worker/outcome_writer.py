"""Writing down what became of deliveries, in batches, until it is written."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from router.queue.ports import Settlement
from router.telemetry import name_fault

BATCH = 500
FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
DOUBTS = 3
"""So many settlements failing one after the other blame the database, not themselves."""

Settle = Callable[[Sequence[Settlement]], Awaitable[Sequence[str]]]

_log = structlog.get_logger("router.settler")


class Settler:
    """Writes settlements; whatever gathers while one write runs goes into the next.

    A batch that cannot be written is tried one by one, so that a single bad one does not hold
    the others up, and again and again, ever more slowly. `settled` hears of the written ones.
    """

    def __init__(self, settle: Settle, settled: Callable[[Sequence[Settlement]], None]) -> None:
        self._settle = settle
        self._settled = settled
        self._unwritten: list[Settlement] = []
        self._doubtful = False
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, settlement: Settlement) -> None:
        """Take a settlement to be written."""
        self._unwritten.append(settlement)
        self._idle.clear()
        self._wanted.set()

    def unwritten(self) -> set[str]:
        """Return the ids of deliveries whose outcome is not written yet."""
        return {settlement.delivery for settlement in self._unwritten}

    async def run(self) -> None:
        """Write until cancelled."""
        delay = FIRST_DELAY
        while True:
            await self._wanted.wait()
            if await self._write():
                delay = FIRST_DELAY
            if not self._unwritten:
                self._wanted.clear()
                self._idle.set()
            elif self._doubtful:
                await asyncio.sleep(delay)
                delay = min(LONGEST_DELAY, delay * 2)

    async def drain(self) -> None:
        """Return when everything taken is written."""
        await self._idle.wait()

    async def _write(self) -> bool:
        """Write what there is; return whether anything could be written."""
        if not self._doubtful and await self._wrote(self._unwritten[:BATCH]):
            return True
        return await self._write_singly()

    async def _write_singly(self) -> bool:
        written = failed = 0
        for _ in range(len(self._unwritten)):
            if await self._wrote(self._unwritten[:1]):
                written += 1
                continue
            failed += 1
            self._unwritten.append(self._unwritten.pop(0))
            if failed == DOUBTS and not written:
                break
        self._doubtful = failed > 0
        return written > 0

    async def _wrote(self, batch: Sequence[Settlement]) -> bool:
        try:
            lost = await self._settle(batch)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the outcome must not be lost
            _log.warning("settling failed", settlements=len(batch), **name_fault(fault))
            return False
        del self._unwritten[: len(batch)]
        for delivery in lost:
            _log.warning(
                "lease lost before the outcome was written",
                notification=delivery.rpartition("-")[0],
                delivery=delivery,
            )
        self._settled(batch)
        return True
