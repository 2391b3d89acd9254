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


class _Crossing(greenlet):  # type: ignore[misc]  # greenlet ships no types
    """Plain code on its way; `called_off` once it was told to stop."""

    called_off = False


def crossing() -> bool:
    """Return whether the caller runs inside `cross` and so may `wait`."""
    return isinstance(getcurrent(), _Crossing)


def wait(awaitable: Awaitable[T]) -> T:
    """Return what the awaitable gives, from inside `cross`; raises what it raises."""
    here = getcurrent()
    if not isinstance(here, _Crossing) or here.parent is None:
        raise RuntimeError("only code run by cross() can wait")
    return cast(T, here.parent.switch(awaitable))


async def cross(work: Callable[[], T], context: Context | None = None) -> T:
    """Run plain code on the event loop, in a context of its own, and return what it returns.

    Cancelling raises `CancelledError` where the code waits; code that swallows it is told
    again at its next wait, and the cancellation stands whatever it returns.
    """
    traveller = _Crossing(work)
    traveller.gr_context = copy_context() if context is None else context
    step: Any = traveller.switch()
    while not traveller.dead:
        if traveller.called_off:
            step = _refuse(traveller, step)
            continue
        try:
            value = await step
        except asyncio.CancelledError as stop:
            traveller.called_off = True
            step = traveller.throw(stop)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the code that waits
            step = traveller.throw(error)
        else:
            step = traveller.switch(value)
    if traveller.called_off:
        raise asyncio.CancelledError
    return cast(T, step)


def _refuse(traveller: _Crossing, step: object) -> object:
    if asyncio.iscoroutine(step):
        step.close()
    return traveller.throw(asyncio.CancelledError())
