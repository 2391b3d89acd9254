"""Noticing that the event loop stands still, and who holds it up."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

STALL = 1.0
"""Seconds without a turn of the loop that are worth a line in the log."""

_log = structlog.get_logger("router.stalls")


@contextmanager
def report_stalls(loop: asyncio.AbstractEventLoop, *, after: float = STALL) -> Iterator[None]:
    """Log when the running loop takes no turn for `after` seconds: which task, and at which line.

    A task that calls what blocks (`time.sleep`, a client that is not made for asyncio) stops every
    other one: nothing is accepted or sent meanwhile. To be called in the loop's own thread.
    """
    watch = _Watch(loop, threading.get_ident(), after)
    watch.beat()
    thread = threading.Thread(target=watch.run, name="stalls", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop()
        thread.join()


class _Watch:
    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int, after: float) -> None:
        self._loop = loop
        self._thread = thread
        self._after = after
        self._pause = after / 4
        self._over = threading.Event()
        self._beaten_at = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def beat(self) -> None:
        """Note a turn of the loop, and do so again soon."""
        self._beaten_at = time.monotonic()
        self._timer = self._loop.call_later(self._pause, self.beat)

    def stop(self) -> None:
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()

    def run(self) -> None:
        """Compare the clock with the last turn; each standstill is reported once."""
        reported = None
        looked_at = time.monotonic()
        while not self._over.wait(self._pause):
            beaten_at, now = self._beaten_at, time.monotonic()
            was_awake, looked_at = now - looked_at < self._after, now
            if now - beaten_at > self._after and beaten_at != reported and was_awake:
                reported = beaten_at
                self._report(now - beaten_at)

    def _report(self, seconds: float) -> None:
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - documented, for debuggers
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
        name = task.get_name() if task else ""
        _log.error("everything stands still", task=name, place=place, seconds=round(seconds, 1))
