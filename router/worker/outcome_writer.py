"""Writing down what became of deliveries, in batches, until it is written."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from router.queue.ports import Settlement
from router.telemetry import describe_exception

MAX_BATCH = 500
FIRST_RETRY_DELAY_S = 0.1
MAX_RETRY_DELAY_S = 5.0
MAX_CONSECUTIVE_FAILURES = 3
"""So many settlements failing one after the other blame the database, not themselves."""

SettleBatch = Callable[[Sequence[Settlement]], Awaitable[Sequence[str]]]

_log = structlog.get_logger(__name__)


class OutcomeWriter:
    """Writes settlements; whatever gathers while one write runs goes into the next.

    A batch that cannot be written is tried one by one, so that a single bad one does not hold
    the others up, and again and again, ever more slowly. `settled` hears of the written ones.
    """

    def __init__(
        self, settle: SettleBatch, settled: Callable[[Sequence[Settlement]], None]
    ) -> None:
        self._settle = settle
        self._on_settled = settled
        self._unwritten: list[Settlement] = []
        self._is_failing = False
        self._has_work = asyncio.Event()
        self._is_drained = asyncio.Event()
        self._is_drained.set()

    def add(self, settlement: Settlement) -> None:
        """Take a settlement to be written."""
        self._unwritten.append(settlement)
        self._is_drained.clear()
        self._has_work.set()

    def list_unwritten(self) -> set[str]:
        """Return the ids of deliveries whose outcome is not written yet."""
        return {settlement.delivery for settlement in self._unwritten}

    async def run(self) -> None:
        """Write until cancelled."""
        delay = FIRST_RETRY_DELAY_S
        while True:
            await self._has_work.wait()
            if await self._write():
                delay = FIRST_RETRY_DELAY_S
            if not self._unwritten:
                self._has_work.clear()
                self._is_drained.set()
            elif self._is_failing:
                await asyncio.sleep(delay)
                delay = min(MAX_RETRY_DELAY_S, delay * 2)

    async def drain(self) -> None:
        """Return when everything taken is written."""
        await self._is_drained.wait()

    async def _write(self) -> bool:
        """Write what there is; return whether anything could be written."""
        if not self._is_failing and await self._try_write(self._unwritten[:MAX_BATCH]):
            return True
        return await self._write_singly()

    async def _write_singly(self) -> bool:
        written = failed = 0
        for _ in range(len(self._unwritten)):
            if await self._try_write(self._unwritten[:1]):
                written += 1
                continue
            failed += 1
            self._unwritten.append(self._unwritten.pop(0))
            if failed == MAX_CONSECUTIVE_FAILURES and not written:
                break
        self._is_failing = failed > 0
        return written > 0

    async def _try_write(self, batch: Sequence[Settlement]) -> bool:
        try:
            lost = await self._settle(batch)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the outcome must not be lost
            _log.warning(
                "outcome write failed, retrying", count=len(batch), **describe_exception(fault)
            )
            return False
        del self._unwritten[: len(batch)]
        for delivery in lost:
            _log.warning(
                "lease lost before outcome was written",
                notification=delivery.rpartition("-")[0],
                delivery=delivery,
            )
        self._on_settled(batch)
        return True
