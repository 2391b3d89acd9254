"""The context of one send: its transport, its deadline, and its exchanges so far."""

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
    """A plugin's code makes a request where no send of its channel runs."""


class SendAttempt(Struct):
    """One call of `send`: its start by the clock of the logins, and the plugin it uses."""

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
        """Set the deadline, on the transport's event loop; exchanges are appended to `exchanges`.

        A request to a host with the name of a recipient's `address` is refused. The plugin shares
        its logins in `logins`. Its code may open the files in `local_files`, texts by path.
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
        # A new connection keeps the context of the task that opens it. `_context` was copied before
        # the send was set in it, so no connection keeps this send alive.
        future = self._context.copy().run(
            asyncio.run_coroutine_threadsafe,
            self.send_and_record(request, is_login=is_login),
            self._loop,
        )
        try:
            return future.result()
        finally:
            del future  # it holds the error, which holds this frame

    async def send_and_record(self, request: Request, *, is_login: bool = False) -> Response:
        """Send one request and record the exchange; raises `TransportError`.

        A request that has failed in this send is not sent again, whatever the plugin's own retries:
        the router decides when to retry. The answer to a request of a login may be one that
        another plugin of the channel got.
        """
        target = (request.method, request.url)
        if target in self._failed_targets:
            raise TransportError("already failed in this attempt", sent=False)
        if is_host(self._address, request.url):
            raise AddressError("the address names a host")
        is_shared = False
        try:
            if is_login and self.logins is not None and self.plugin is not None:
                response, is_shared = await self._share_login(self.logins, self.plugin, request)
            else:
                response = await self._send(request)
        except TransportError as error:
            self._failed_targets.add(target)
            self.exchanges.append(Exchange(request, error=error, is_login=is_login))
            raise
        if response.status == 429 or response.status >= 500:  # noqa: PLR2004 - HTTP's own numbers
            self._failed_targets.add(target)
        if not is_shared:
            self.exchanges.append(Exchange(request, response, is_login=is_login))
        return response

    async def _share_login(
        self, logins: SharedLogins, plugin: NotifyBase, request: Request
    ) -> tuple[Response, bool]:
        """Return the answer to a request of a login within this send's time, and if it is kept."""
        try:
            return await logins.fetch(
                plugin, request, lambda: self._send(request), seconds=self.seconds_left()
            )
        except TimeoutError:
            raise TransportError(TIMED_OUT, sent=True) from None

    def seconds_left(self) -> float:
        """Return the seconds until the deadline, negative after it."""
        return self._deadline - self._loop.time()

    async def _send(self, request: Request) -> Response:
        seconds = self.seconds_left()
        if seconds <= 0:
            raise TransportError(TIMED_OUT, sent=False)
        return await self._transport.send(request, timeout=seconds)


SEND_CONTEXT: ContextVar[SendContext | None] = ContextVar("send_context", default=None)
"""The send that the code of the current context belongs to."""


def current_send_context() -> SendContext:
    """Return the send that the caller's code belongs to; raises `OutsideSendError`.

    Three kinds of code belong to no send, even where the variable is set. The garbage collector
    runs destructors and callbacks of weak references in the middle of any other code, so the send
    in the context may be a stranger's. Code on the event loop's thread outside of a greenlet
    cannot yield, so it would wait for a loop that waits for it.
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
"""The thread that collects garbage, during a collection: CPython runs one at a time."""


def watch_collections() -> None:
    """Record each garbage collection from now on in `_COLLECTING`."""
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
