"""What signals ask of the process, and its end, which comes whatever still runs in it."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, NamedTuple

import structlog

EXIT_TIMEOUT_S = 28.0
"""Seconds after a signal to stop in which the process ends, whatever still runs in it."""
LEFTOVER_TIMEOUT_S = 5.0
"""Seconds that what plugins left behind may still run when all else has ended."""
MAX_TASKS_SHOWN = 10
"""How many of the tasks that still run are named."""

_log = structlog.get_logger(__name__)


@contextmanager
def handle_signals(
    *,
    stop: Callable[[], None],
    stopping: Callable[[], None],
    reload: Callable[[], Coroutine[Any, Any, object]],
) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the router, and SIGHUP reload its rules.

    `stopping` is called at once, even while something holds the loop up; `stop` in the loop.
    """
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[object]] = set()

    def begin_reload() -> None:
        task = asyncio.create_task(reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stopping()

    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: begin_reload}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
        if handler is stop:
            # The loop reads signals from a pipe that Python writes to, whoever handles them.
            signal.signal(number, note)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


class ExitLimit(NamedTuple):
    """When the process ends at the latest, by the monotonic clock, and with which exit status."""

    at: float
    status: int


class ExitWatchdog:
    """Ends the process when its time is over, and says what still ran.

    A plugin may swallow its cancellation, leave threads behind, or hold the loop up: the
    interpreter would wait for all of them.
    """

    def __init__(self) -> None:
        """Set none; a thread waits for the first."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limits: SimpleQueue[ExitLimit] = SimpleQueue()  # its `put` may interrupt itself
        threading.Thread(target=self._run, name="deadline", daemon=True).start()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the tasks of a loop when it comes to that."""
        self._loop = loop

    def set(self, seconds: float, *, status: int) -> None:
        """End the process in so many seconds, unless it has ended by then; the earliest counts."""
        self._limits.put(ExitLimit(time.monotonic() + seconds, status))

    def _run(self) -> None:
        limit = self._limits.get()
        while True:
            try:
                another = self._limits.get(timeout=max(0.0, limit.at - time.monotonic()))
            except Empty:
                break
            limit = min(limit, another)
        _log.critical("shutdown timed out", tasks=self._tasks(), threads=_describe_threads())
        sys.stdout.flush()
        os._exit(limit.status)

    def _tasks(self) -> list[str]:
        tasks = asyncio.all_tasks(self._loop) if self._loop else set()
        return sorted(_describe_task(task) for task in tasks)[:MAX_TASKS_SHOWN]


def _describe_task(task: asyncio.Task[Any]) -> str:
    """Return a task's name and where it stands: nothing that it was called with."""
    stack = task.get_stack(limit=1)
    return f"{task.get_name()} at {_place(stack[0])}" if stack else task.get_name()


def _describe_threads() -> list[str]:
    """Return where each thread stands that the interpreter would wait for."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, for debuggers
    return sorted(
        f"{thread.name} at {_place(frames[thread.ident])}"
        for thread in threading.enumerate()
        if not thread.daemon and thread.ident in frames
    )[:MAX_TASKS_SHOWN]


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
