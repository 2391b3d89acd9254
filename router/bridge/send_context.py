"""One send under way: the way out it was given, its time, and the hops so far."""

import asyncio
import gc
import sys
import weakref
from collections.abc import Mapping
from contextvars import ContextVar, copy_context
from threading import get_ident
from types import FrameType, MappingProxyType

from apprise.plugins.base import NotifyBase

from router.bridge.address import is_host
from router.bridge.exchange import Hop
from router.bridge.greenlet_await import crossing, wait
from router.bridge.shared_login import LOGGING_IN, SharedLogins
from router.channel import Request, Response, Transport, TransportError
from router.core.errors import AddressError
from router.transport.error_text import TIMED_OUT


class OutsideSendError(RuntimeError):
    """A plugin's code asked for the network where no send of its channel runs."""


class Trip:
    """A send that may take several requests, all within `seconds`."""

    def __init__(
        self,
        transport: Transport,
        *,
        seconds: float,
        hops: list[Hop] | None = None,
        address: str = "",
        logins: SharedLogins | None = None,
    ) -> None:
        """Start the clock, on the transport's event loop; `hops` is appended to.

        A recipient's `address` names a person: a request to a host of that name is refused.
        What `plugin` logs in with is shared in `logins`. Its code may open the files in
        `local_files`, texts by path.
        """
        self.plugin: NotifyBase | None = None
        self.logins = logins
        self.local_files: Mapping[str, str] = MappingProxyType({})
        self.hops: list[Hop] = [] if hops is None else hops
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds
        self._address = address
        self._failed: set[tuple[str, str]] = set()
        self._context = copy_context()

    def fetch(self, request: Request) -> Response:
        """Return the answer to a request, from inside a crossing or from a worker thread."""
        login = LOGGING_IN.get()
        if crossing():
            return wait(self.hop(request, login=login))
        # Connections keep the context they are made in: this one holds no send.
        hop = self._context.copy().run(
            asyncio.run_coroutine_threadsafe, self.hop(request, login=login), self._loop
        )
        try:
            return hop.result()
        finally:
            del hop  # it holds the error, which holds this frame

    async def hop(self, request: Request, *, login: bool = False) -> Response:
        """Send one request and note what came of it; raises `TransportError`.

        A request that just failed is not sent again: when to retry is decided elsewhere. The
        answer to one of a `login` may be that which another plugin got.
        """
        target = (request.method, request.url)
        if target in self._failed:
            raise TransportError("already failed in this attempt", sent=False)
        if is_host(self._address, request.url):
            raise AddressError("the address names a host")
        kept = False
        try:
            if login and self.logins is not None and self.plugin is not None:
                response, kept = await self._share(self.logins, self.plugin, request)
            else:
                response = await self._send(request)
        except TransportError as error:
            self._failed.add(target)
            self.hops.append(Hop(request, error=error, login=login))
            raise
        if response.status == 429 or response.status >= 500:  # noqa: PLR2004 - HTTP's own numbers
            self._failed.add(target)
        if not kept:
            self.hops.append(Hop(request, response, login=login))
        return response

    async def _share(
        self, logins: SharedLogins, plugin: NotifyBase, request: Request
    ) -> tuple[Response, bool]:
        """Return the answer to a part of a login, in the time that this send has left."""
        try:
            return await logins.exchange(
                plugin, request, lambda: self._send(request), seconds=self.left()
            )
        except TimeoutError:
            raise TransportError(TIMED_OUT, sent=True) from None

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._deadline - self._loop.time()

    async def _send(self, request: Request) -> Response:
        left = self.left()
        if left <= 0:
            raise TransportError(TIMED_OUT, sent=False)
        return await self._transport.send(request, timeout=left)


TRIP: ContextVar[Trip | None] = ContextVar("trip", default=None)
"""The send that the code of the current context belongs to."""


def current_trip() -> Trip:
    """Return the send that the caller's code belongs to; raises `OutsideSendError`.

    A destructor belongs to none, nor does a callback of a weak reference: the garbage collector
    runs them in the middle of any other code, on any thread. Neither does code that an event loop
    waits for and that cannot yield to it.
    """
    trip = TRIP.get()
    if trip is None:
        raise OutsideSendError("no request outside of a send")
    if _COLLECTING.get("thread") == get_ident() or _in_destructor():
        raise OutsideSendError("no request from a destructor")
    if not crossing() and _has_running_loop():
        raise OutsideSendError("no request on the event loop's own thread")
    return trip


_COLLECTING: dict[str, int] = {}
"""The thread that collects garbage, while it does: one at a time."""


def watch_collections() -> None:
    """Take note of each collection of garbage from now on."""
    if _note_collection not in gc.callbacks:
        gc.callbacks.append(_note_collection)


def _note_collection(phase: str, _: object) -> None:
    if phase == "start":
        _COLLECTING["thread"] = get_ident()
    else:
        _COLLECTING.clear()


_FINALIZE = weakref.finalize.__call__.__code__


def _in_destructor() -> bool:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code is _FINALIZE:
            return True
        frame = frame.f_back
    return False


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
