"""Measures for how long the event loop stood still."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PULSE_S = 0.01


class Heartbeat:
    """The longest time between two turns of the loop beyond what was asked for, in seconds."""

    longest = 0.0

    async def beat(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(PULSE_S)
            self.longest = max(self.longest, time.monotonic() - began - PULSE_S)


@asynccontextmanager
async def heartbeat() -> AsyncIterator[Heartbeat]:
    """Measure while the block runs."""
    heart = Heartbeat()
    beating = asyncio.create_task(heart.beat())
    try:
        yield heart
    finally:
        await asyncio.sleep(2 * PULSE_S)
        beating.cancel()
