"""Await from synchronous code, by switching greenlets.

This is the technique of SQLAlchemy's asyncio extension: synchronous code runs in a greenlet whose
parent is the greenlet of the event loop. Where the code must wait, it switches to the parent with
an awaitable, and the parent switches back with the result. Everything runs on the thread of the
event loop, so nothing else in the code may block: a `threading.Lock` that one send holds across a
switch would stop the loop for ever when another send asks for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class _AsyncioGreenlet(greenlet):  # type: ignore[misc]  # greenlet ships no types
    """A running call of `run_sync`; `is_cancelled` once its task has been cancelled."""

    is_cancelled = False


def in_greenlet() -> bool:
    """Return whether the caller runs inside `run_sync`, and so may call `await_only`."""
    return isinstance(getcurrent(), _AsyncioGreenlet)


def await_only(awaitable: Awaitable[T]) -> T:
    """Return the result of an awaitable, from inside `run_sync`; raises its error."""
    current = getcurrent()
    if not isinstance(current, _AsyncioGreenlet) or current.parent is None:
        raise RuntimeError("await_only works inside run_sync alone")
    return cast(T, current.parent.switch(awaitable))


async def run_sync(work: Callable[[], T], context: Context | None = None) -> T:
    """Run synchronous code on the event loop, in a context of its own, and return its result.

    A cancellation raises `CancelledError` in the code where it waits. Code that catches it gets it
    again at its next wait, and `run_sync` raises it whatever the code returns.
    """
    child = _AsyncioGreenlet(work)
    # A greenlet starts with an empty context. A copy lets it read the caller's variables, and keeps
    # the values that it sets from the caller.
    child.gr_context = copy_context() if context is None else context
    # The code runs up to its end or its first wait. The loop is free only at `await step` below,
    # so nothing else runs between two waits, as with any coroutine.
    step: Any = child.switch()
    while not child.dead:
        if child.is_cancelled:
            step = _throw_cancelled(child, step)
            continue
        try:
            value = await step
        except asyncio.CancelledError as cancellation:
            # The error goes into the greenlet, so that its `finally` blocks run. Raised here, it
            # would leave the greenlet suspended with its plugin and its locks.
            child.is_cancelled = True
            step = child.throw(cancellation)
        except BaseException as error:  # noqa: BLE001 - any error belongs to the code that waits
            step = child.throw(error)
        else:
            step = child.switch(value)
    if child.is_cancelled:
        raise asyncio.CancelledError
    return cast(T, step)


def _throw_cancelled(child: _AsyncioGreenlet, step: object) -> object:
    if asyncio.iscoroutine(step):
        step.close()  # never awaited now: it would warn when it is collected
    return child.throw(asyncio.CancelledError())
