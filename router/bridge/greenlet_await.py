"""Await from code that does not know of asyncio, by switching greenlets.

The technique SQLAlchemy's asyncio extension uses: plain code runs in a greenlet whose parent
is the event loop's; where it must wait, it hands the awaitable to the parent and sleeps until
the parent switches back. Nothing else may block inside: a `threading.Lock` held across a wait
would stop the loop for good.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class _AsyncioGreenlet(greenlet):  # type: ignore[misc]  # greenlet ships no types
    """Plain code on its way; `called_off` once it was told to stop."""

    is_cancelled = False


def in_greenlet() -> bool:
    """Return whether the caller runs inside `run_sync` and so may `wait`."""
    return isinstance(getcurrent(), _AsyncioGreenlet)


def await_only(awaitable: Awaitable[T]) -> T:
    """Return what the awaitable gives, from inside `run_sync`; raises what it raises."""
    current = getcurrent()
    if not isinstance(current, _AsyncioGreenlet) or current.parent is None:
        raise RuntimeError("only code that run_sync runs can wait")
    return cast(T, current.parent.switch(awaitable))


async def run_sync(work: Callable[[], T], context: Context | None = None) -> T:
    """Run plain code on the event loop, in a context of its own, and return what it returns.

    Cancelling raises `CancelledError` where the code waits; code that swallows it is told
    again at its next wait, and the cancellation stands whatever it returns.
    """
    child = _AsyncioGreenlet(work)
    # A greenlet starts with an empty context; one of its own keeps what it sets from the caller.
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
        except asyncio.CancelledError as stop:
            child.is_cancelled = True
            step = child.throw(stop)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the code that waits
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
