"""Run the code of an Apprise plugin on the event loop, in a thread, or not at all."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from functools import cached_property

from apprise.plugins.base import NotifyBase

from router.bridge.exchange import Exchange
from router.bridge.greenlet_await import run_sync
from router.bridge.patching import execution_mode
from router.bridge.plugin_classes import find_closer
from router.bridge.send_context import SEND_CONTEXT, SendContext
from router.bridge.shared_login import SharedLogins
from router.channel import Request, Transport, TransportError
from router.transport.error_text import TIMED_OUT

MAX_THREADS = 8
"""Concurrent sends of a plugin that blocks."""


class PluginRunner:
    """Runs the plugins of one channel, each send within `seconds`."""

    def __init__(self, transport: Transport, *, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._closing: set[Future[object]] = set()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="plugin")

    async def run(  # noqa: PLR0913 - each says one thing of the send
        self,
        plugin: type[NotifyBase],
        work: Callable[[], bool],
        exchanges: list[Exchange],
        *,
        address: str = "",
        logins: SharedLogins | None = None,
        seconds: float | None = None,
        local_files: Mapping[str, str] | None = None,
    ) -> bool:
        """Return whether the plugin reports success; its exchanges are appended as they end.

        `address` is the recipient's: no request may go to a host of that name. The plugin shares
        its logins in `logins`, and its logouts wait until the channel closes. `local_files` are
        the texts of the files that it may open, by path.
        """
        send_context = SendContext(
            self._transport,
            seconds=self._seconds if seconds is None else seconds,
            exchanges=exchanges,
            address=address,
            logins=logins,
        )
        send_context.local_files = local_files or {}
        return await self._run_in_mode(plugin, work, send_context)

    async def _run_in_mode(
        self, plugin: type[NotifyBase], work: Callable[[], bool], send_context: SendContext
    ) -> bool:
        # Only the plugin's code sees the send context. Connections and timers that a request
        # leaves on the event loop keep the context of the task. Set there, it would keep the
        # message and its secrets in memory as long as the connection.
        context = copy_context()
        context.run(SEND_CONTEXT.set, send_context)
        match execution_mode(plugin):  # type: ignore[arg-type]  # the hash of its instances hides the class's own
            case "loop":
                return await run_sync(work, context)
            case "thread":
                return await self._run_in_thread(work, send_context, context)
            case "own":
                return await self._run_unobserved(plugin, work, send_context, context)

    async def log_out(self, plugin: NotifyBase, *, seconds: float) -> None:
        """Let a plugin log out over the transport, as Apprise's destructor would.

        A plugin with connections of its own is left to `release`.
        """
        closer = find_closer(plugin)
        if closer is None or _has_own_connections(plugin):
            return
        send_context = SendContext(self._transport, seconds=seconds)
        with suppress(Exception):  # a plugin may raise anything, and nobody waits for its answer
            await self._run_in_mode(type(plugin), lambda: closer() is not False, send_context)

    def release(self, plugin: NotifyBase) -> None:
        """Close the connections of a plugin that sends no more, where it has its own.

        A thread does so, because closing may block.
        """
        if "_threads" not in vars(self) or not _has_own_connections(plugin):
            return
        if (closer := find_closer(plugin)) is None:
            return
        with suppress(RuntimeError):  # the thread pool is closed
            closing = self._threads.submit(closer)
            # Added before the callback: a future that is done calls it at once.
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def wait_closed(self, *, seconds: float) -> None:
        """Wait until released plugins have closed their connections, at most `seconds`."""
        # A copy: the threads discard from the set while the loop iterates.
        if closing := [asyncio.wrap_future(future) for future in list(self._closing)]:
            await asyncio.wait(closing, timeout=seconds)

    def close(self) -> None:
        """Start no further work; a blocked thread ends when its plugin returns."""
        if "_threads" in vars(self):
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_in_thread(
        self,
        work: Callable[[], bool],
        send_context: SendContext,
        context: Context,
        request: Request | None = None,
    ) -> bool:
        """Run work in a thread; after the timeout the thread goes on, and its result is dropped."""
        has_started = False

        def run_work() -> bool:
            nonlocal has_started
            has_started = True
            return work()

        future = asyncio.get_running_loop().run_in_executor(self._threads, context.run, run_work)
        try:
            async with asyncio.timeout(send_context.seconds_left()):
                return await future
        except TimeoutError:
            # The timeout cancels the future, so work that no thread has begun never runs. Begun
            # work cannot be stopped and may still send.
            error = TransportError(TIMED_OUT, sent=has_started)
            send_context.exchanges.append(
                Exchange(request or Request(method="", url=""), error=error)
            )
            return False

    async def _run_unobserved(
        self,
        plugin: type[NotifyBase],
        work: Callable[[], bool],
        send_context: SendContext,
        context: Context,
    ) -> bool:
        """Run a plugin that connects by itself; on a transport that is not live, only record it."""
        request = Request(method=plugin.__name__.removeprefix("Notify").upper(), url="")
        if not self._transport.is_live:
            await send_context.send_and_record(request)
            return True
        done = await self._run_in_thread(work, send_context, context, request)
        if not send_context.exchanges:
            error = TransportError("the provider's plugin could not send", sent=False)
            send_context.exchanges.append(Exchange(request, error=None if done else error))
        return done


def _has_own_connections(plugin: NotifyBase) -> bool:
    return execution_mode(type(plugin)) == "own"  # type: ignore[arg-type]  # as above
