"""One send under way: the way out it was given, its time, and the hops so far."""

import asyncio
import sys
from contextvars import ContextVar, copy_context
from types import FrameType

from router.bridge.address import is_host
from router.bridge.crossing import crossing, wait
from router.bridge.hop import Hop
from router.channel import Request, Response, Transport, TransportError
from router.core.errors import AddressError

TIMED_OUT = "timed out"
"""The reason of a `TransportError` that time ran out for."""


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
    ) -> None:
        """Start the clock, on the transport's event loop; `hops` is appended to.

        A recipient's `address` names a person: a request to a host of that name is refused.
        """
        self.hops: list[Hop] = [] if hops is None else hops
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds
        self._address = address
        self._failed: set[tuple[str, str]] = set()
        self._context = copy_context()

    def fetch(self, request: Request) -> Response:
        """Return the answer to a request, from inside a crossing or from a worker thread."""
        if crossing():
            return wait(self.hop(request))
        # Connections keep the context they are made in: this one holds no send.
        hop = self._context.copy().run(
            asyncio.run_coroutine_threadsafe, self.hop(request), self._loop
        )
        return hop.result()

    async def hop(self, request: Request) -> Response:
        """Send one request and note what came of it; raises `TransportError`.

        A request that just failed is not sent again: when to retry is decided elsewhere.
        """
        target = (request.method, request.url)
        if target in self._failed:
            raise TransportError("already failed in this attempt", sent=False)
        try:
            response = await self._send(request)
        except TransportError as error:
            self._failed.add(target)
            self.hops.append(Hop(request, error=error))
            raise
        if response.status == 429 or response.status >= 500:  # noqa: PLR2004 - HTTP's own numbers
            self._failed.add(target)
        self.hops.append(Hop(request, response))
        return response

    async def _send(self, request: Request) -> Response:
        if is_host(self._address, request.url):
            raise AddressError("the address names a host")
        left = self._deadline - self._loop.time()
        if left <= 0:
            raise TransportError(TIMED_OUT, sent=False)
        return await self._transport.send(request, timeout=left)


TRIP: ContextVar[Trip | None] = ContextVar("trip", default=None)
"""The send that the code of the current context belongs to."""


def current_trip() -> Trip:
    """Return the send that the caller's code belongs to; raises `OutsideSendError`.

    A destructor belongs to none: the garbage collector runs it in the middle of any other code,
    on any thread. Neither does code that an event loop waits for and that cannot yield to it.
    """
    trip = TRIP.get()
    if trip is None:
        raise OutsideSendError("no request outside of a send")
    if _in_destructor():
        raise OutsideSendError("no request from a destructor")
    if not crossing() and _has_running_loop():
        raise OutsideSendError("no request on the event loop's own thread")
    return trip


def _in_destructor() -> bool:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
