"""How an Apprise plugin's code is run: on the event loop, in a thread, or not at all."""

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
"""Sends at the same time of a plugin that blocks."""


class PluginRunner:
    """Runs the plugins of one channel, each send within `seconds`."""

    def __init__(self, transport: Transport, *, seconds: float) -> None:
        """Start nothing yet."""
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
        """Return whether the plugin says that it sent; its exchanges are appended as they happen.

        `address` is a recipient's: no request may go to a host of that name. What the plugin
        logs in with is shared in `logins`, and it logs out of nothing. `local_files` are the
        texts of the files that it may open, by path.
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
        # The plugin's code alone sees the send. Connections and timers that requests leave on
        # the event loop keep the context of the task, and would keep the send alive.
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
        """Let a plugin log out over the transport, as it would when it is destroyed.

        One with connections of its own is released instead.
        """
        parting = find_closer(plugin)
        if parting is None or _has_own_connections(plugin):
            return
        send_context = SendContext(self._transport, seconds=seconds)
        with suppress(Exception):  # a plugin may raise anything, and nobody waits for its answer
            await self._run_in_mode(type(plugin), lambda: parting() is not False, send_context)

    def release(self, plugin: NotifyBase) -> None:
        """Let a plugin go that sends no more; one with connections of its own closes them.

        Its thread does that: closing may block.
        """
        if "_threads" not in vars(self) or not _has_own_connections(plugin):
            return
        if (parting := find_closer(plugin)) is None:
            return
        with suppress(RuntimeError):  # the threads are closed
            closing = self._threads.submit(parting)
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def wait_closed(self, *, seconds: float) -> None:
        """Wait until what was released has closed its connections, at most so long."""
        if closing := [asyncio.wrap_future(future) for future in list(self._closing)]:
            await asyncio.wait(closing, timeout=seconds)

    def close(self) -> None:
        """Start nothing new; a thread that blocks ends when its plugin lets it."""
        if "_threads" in vars(self):
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_in_thread(
        self,
        work: Callable[[], bool],
        send_context: SendContext,
        context: Context,
        request: Request | None = None,
    ) -> bool:
        """Run work in a thread; when the time is up it is left behind there."""
        started = False

        def begin() -> bool:
            nonlocal started
            started = True
            return work()

        running = asyncio.get_running_loop().run_in_executor(self._threads, context.run, begin)
        try:
            async with asyncio.timeout(send_context.seconds_left()):
                return await running
        except TimeoutError:
            late = TransportError(TIMED_OUT, sent=started)
            send_context.exchanges.append(
                Exchange(request or Request(method="", url=""), error=late)
            )
            return False

    async def _run_unobserved(
        self,
        plugin: type[NotifyBase],
        work: Callable[[], bool],
        send_context: SendContext,
        context: Context,
    ) -> bool:
        """Run a plugin whose connections pass nobody; where nothing may go out, only say so."""
        request = Request(method=plugin.__name__.removeprefix("Notify").upper(), url="")
        if not self._transport.is_live:
            await send_context.send_and_record(request)
            return True
        done = await self._run_in_thread(work, send_context, context, request)
        if not send_context.exchanges:
            refused = TransportError("the provider's plugin could not send", sent=False)
            send_context.exchanges.append(Exchange(request, error=None if done else refused))
        return done


def _has_own_connections(plugin: NotifyBase) -> bool:
    return execution_mode(type(plugin)) == "own"  # type: ignore[arg-type]  # as above
