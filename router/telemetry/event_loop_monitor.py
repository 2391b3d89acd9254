"""Noticing that the event loop stands still, and who holds it up."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

STALL_THRESHOLD_S = 1.0
"""Seconds without a turn of the loop that are worth a line in the log."""

_log = structlog.get_logger(__name__)


@contextmanager
def monitor_event_loop(
    loop: asyncio.AbstractEventLoop, *, after: float = STALL_THRESHOLD_S
) -> Iterator[None]:
    """Log when the running loop takes no turn for `after` seconds: which task, and at which line.

    A task that calls what blocks (`time.sleep`, a client that is not made for asyncio) stops every
    other one: nothing is accepted or sent meanwhile. To be called in the loop's own thread.
    """
    watch = _EventLoopWatchdog(loop, threading.get_ident(), after)
    watch.record_beat()
    thread = threading.Thread(target=watch.run, name="stalls", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop()
        thread.join()


class _EventLoopWatchdog:
    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int, after: float) -> None:
        self._loop = loop
        self._thread = thread
        self._threshold_s = after
        self._check_interval_s = after / 4
        self._stop_event = threading.Event()
        self._last_beat_at = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def record_beat(self) -> None:
        """Note a turn of the loop, and do so again soon."""
        self._last_beat_at = time.monotonic()
        self._timer = self._loop.call_later(self._check_interval_s, self.record_beat)

    def stop(self) -> None:
        self._stop_event.set()
        if self._timer is not None:
            self._timer.cancel()

    def run(self) -> None:
        """Compare the clock with the last turn; each standstill is reported once."""
        reported = None
        looked_at = time.monotonic()
        while not self._stop_event.wait(self._check_interval_s):
            beaten_at, now = self._last_beat_at, time.monotonic()
            was_awake, looked_at = now - looked_at < self._threshold_s, now
            if now - beaten_at > self._threshold_s and beaten_at != reported and was_awake:
                reported = beaten_at
                self._report(now - beaten_at)

    def _report(self, seconds: float) -> None:
        task = asyncio.current_task(self._loop)
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - documented, for debuggers
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
        name = task.get_name() if task else ""
        _log.error("event loop blocked", task=name, place=place, seconds=round(seconds, 1))
