"""An event loop whose time passes at once: it skips to the next timer when idle."""

import asyncio
import selectors
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = 1_800_000_000.0
PATIENCE = 20.0
"""Seconds of real time that something outside of virtual time may take."""


class _Skipping(selectors.DefaultSelector):
    """Skips the wait for a timer; it waits for real only while a thread is at work."""

    def __init__(self, skip: Callable[[float], None], threads: Callable[[], int]) -> None:
        super().__init__()
        self._skip = skip
        self._threads = threads

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None or self._threads():
            events = super().select(PATIENCE)  # a thread that ends, as of the loop's executor
            assert events, "nothing is left to wait for, or what is waited for does not come"
            return events
        events = super().select(0)
        if not events:
            self._skip(timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for tests: an hour of retries takes no time, and always goes the same way."""

    def __init__(self) -> None:
        self._now = 0.0
        self.threads = 0
        super().__init__(_Skipping(self._skip, lambda: self.threads))

    def time(self) -> float:
        return self._now

    def run_in_executor(
        self, executor: Executor | None, work: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        def work_in_virtual_time() -> T:
            _outside.loop = self
            return work(*args)

        self.threads += 1
        future = super().run_in_executor(executor, work_in_virtual_time)
        future.add_done_callback(self._leave_thread)
        return future

    def _leave_thread(self, _: object) -> None:
        self.threads -= 1

    def _skip(self, seconds: float) -> None:
        self._now += seconds


_outside = threading.local()
"""The loop that a thread of an executor works for."""


def now() -> float:
    """Return the virtual time, as epoch seconds, on the loop and in its threads."""
    loop = asyncio._get_running_loop() or _outside.loop
    return EPOCH + float(loop.time())


async def threaded(work: Awaitable[T]) -> T:
    """Await what is done outside, by a thread or over a socket: no time passes meanwhile."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.threads += 1
    try:
        return await work
    finally:
        loop.threads -= 1


def run_in_virtual_time(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)
