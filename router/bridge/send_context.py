"""One send under way: the way out it was given, its time, and the exchanges so far."""

import asyncio
import gc
import sys
import weakref
from collections.abc import Mapping
from contextvars import ContextVar, copy_context
from threading import get_ident
from types import FrameType, MappingProxyType

from apprise.plugins.base import NotifyBase
from msgspec import Struct

from router.bridge.address import is_host
from router.bridge.exchange import Exchange
from router.bridge.greenlet_await import await_only, in_greenlet
from router.bridge.shared_login import LOGGING_IN, SharedLogins
from router.channel import Request, Response, Transport, TransportError
from router.core.errors import AddressError
from router.transport.error_text import TIMED_OUT


class OutsideSendError(RuntimeError):
    """A plugin's code asked for the network where no send of its channel runs."""


class SendAttempt(Struct):
    """One call of `send`: when it began, by the clock of the logins, and the plugin it uses."""

    since: float
    plugin: NotifyBase | None = None


class SendContext:
    """A send that may take several requests, all within `seconds`."""

    def __init__(
        self,
        transport: Transport,
        *,
        seconds: float,
        exchanges: list[Exchange] | None = None,
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
        self.exchanges: list[Exchange] = [] if exchanges is None else exchanges
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds
        self._address = address
        self._failed_targets: set[tuple[str, str]] = set()
        self._context = copy_context()

    def fetch(self, request: Request) -> Response:
        """Return the answer to a request, from inside `run_sync` or from a worker thread."""
        is_login = LOGGING_IN.get()
        if in_greenlet():
            return await_only(self.send_and_record(request, is_login=is_login))
        # Connections keep the context they are made in: this one holds no send.
        exchange = self._context.copy().run(
            asyncio.run_coroutine_threadsafe,
            self.send_and_record(request, is_login=is_login),
            self._loop,
        )
        try:
            return exchange.result()
        finally:
            del exchange  # it holds the error, which holds this frame

    async def send_and_record(self, request: Request, *, is_login: bool = False) -> Response:
        """Send one request and note what came of it; raises `TransportError`.

        A request that just failed is not sent again: when to retry is decided elsewhere. The
        answer to one of a `login` may be that which another plugin got.
        """
        target = (request.method, request.url)
        if target in self._failed_targets:
            raise TransportError("already failed in this attempt", sent=False)
        if is_host(self._address, request.url):
            raise AddressError("the address names a host")
        kept = False
        try:
            if is_login and self.logins is not None and self.plugin is not None:
                response, kept = await self._share_login(self.logins, self.plugin, request)
            else:
                response = await self._send(request)
        except TransportError as error:
            self._failed_targets.add(target)
            self.exchanges.append(Exchange(request, error=error, is_login=is_login))
            raise
        if response.status == 429 or response.status >= 500:  # noqa: PLR2004 - HTTP's own numbers
            self._failed_targets.add(target)
        if not kept:
            self.exchanges.append(Exchange(request, response, is_login=is_login))
        return response

    async def _share_login(
        self, logins: SharedLogins, plugin: NotifyBase, request: Request
    ) -> tuple[Response, bool]:
        """Return the answer to a part of a login, in the time that this send has left."""
        try:
            return await logins.fetch(
                plugin, request, lambda: self._send(request), seconds=self.seconds_left()
            )
        except TimeoutError:
            raise TransportError(TIMED_OUT, sent=True) from None

    def seconds_left(self) -> float:
        """Return the seconds that are left."""
        return self._deadline - self._loop.time()

    async def _send(self, request: Request) -> Response:
        left = self.seconds_left()
        if left <= 0:
            raise TransportError(TIMED_OUT, sent=False)
        return await self._transport.send(request, timeout=left)


SEND_CONTEXT: ContextVar[SendContext | None] = ContextVar("trip", default=None)
"""The send that the code of the current context belongs to."""


def current_send_context() -> SendContext:
    """Return the send that the caller's code belongs to; raises `OutsideSendError`.

    A destructor belongs to none, nor does a callback of a weak reference: the garbage collector
    runs them in the middle of any other code, on any thread. Neither does code that an event loop
    waits for and that cannot yield to it.
    """
    send_context = SEND_CONTEXT.get()
    if send_context is None:
        raise OutsideSendError("no request outside of a send")
    if _COLLECTING.get("thread") == get_ident() or _in_destructor():
        raise OutsideSendError("no request from a destructor")
    if not in_greenlet() and _has_running_loop():
        raise OutsideSendError("no request on the event loop's own thread")
    return send_context


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
