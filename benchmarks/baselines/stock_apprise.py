"""Stock Apprise, as it comes: `notify` in a loop, or `async_notify` for many at once."""

import asyncio
import resource
import sys
import time

import msgspec
from apprise import Apprise

from benchmarks.process import own_cpu

TITLE, BODY = "Andrew Joseph", "Message 0000000001"
AT_ONCE = 64


def notify(service: Apprise, count: int) -> int:
    """Return how many of so many notifications were sent, one after the other."""
    return sum(bool(service.notify(BODY, title=TITLE)) for _ in range(count))


async def notify_together(service: Apprise, count: int) -> int:
    """Return how many of so many notifications were sent, many at once."""
    left = iter(range(count))

    async def client() -> int:
        return sum([bool(await service.async_notify(BODY, title=TITLE)) for _ in left])

    return sum(await asyncio.gather(*(client() for _ in range(AT_ONCE))))


def main(url: str, way: str, count: int) -> None:
    """Send, and print how long it took and what it cost, as JSON."""
    service = Apprise()
    service.add(url)
    service.notify(BODY, title=TITLE)  # imports, threads
    cpu, began = own_cpu(), time.perf_counter()
    sent = notify(service, count) if way == "loop" else asyncio.run(notify_together(service, count))
    figures = {
        "sent": sent,
        "seconds": time.perf_counter() - began,
        "cpu": own_cpu() - cpu,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    sys.stdout.buffer.write(msgspec.json.encode(figures))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
