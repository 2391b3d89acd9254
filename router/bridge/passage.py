"""How an Apprise plugin's code is run: on the event loop, in a thread, or not at all."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import cached_property

from apprise.plugins.base import NotifyBase

from router.bridge.crossing import cross
from router.bridge.hop import Hop
from router.bridge.installation import tell_speech
from router.bridge.trip import TIMED_OUT, TRIP, Trip
from router.channel import Request, Transport, TransportError

THREADS = 8
"""Sends at the same time of a plugin that blocks."""


class Passage:
    """Runs the plugins of one channel, each send within `seconds`."""

    def __init__(self, transport: Transport, *, seconds: float) -> None:
        """Start nothing yet."""
        self._transport = transport
        self._seconds = seconds

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, thread_name_prefix="plugin")

    async def take(
        self,
        plugin: type[NotifyBase],
        work: Callable[[], bool],
        hops: list[Hop],
        *,
        address: str = "",
    ) -> bool:
        """Return whether the plugin says that it sent; its hops are appended as they happen.

        `address` is a recipient's: no request may go to a host of that name.
        """
        trip = Trip(self._transport, seconds=self._seconds, hops=hops, address=address)
        # The plugin's code alone sees the send. Connections and timers that requests leave on
        # the event loop keep the context of the task, and would keep the send alive.
        context = copy_context()
        context.run(TRIP.set, trip)
        match tell_speech(plugin):  # type: ignore[arg-type]  # the hash of its instances hides the class's own
            case "loop":
                return await cross(work, context)
            case "thread":
                return await self._run_apart(work, trip, context)
            case "own":
                return await self._run_unseen(plugin, work, trip, context)

    def close(self) -> None:
        """Start nothing new; a thread that blocks ends when its plugin lets it."""
        if "_threads" in vars(self):
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_apart(
        self,
        work: Callable[[], bool],
        trip: Trip,
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
            async with asyncio.timeout(self._seconds):
                return await running
        except TimeoutError:
            late = TransportError(TIMED_OUT, sent=started)
            trip.hops.append(Hop(request or Request(method="", url=""), error=late))
            return False

    async def _run_unseen(
        self,
        plugin: type[NotifyBase],
        work: Callable[[], bool],
        trip: Trip,
        context: Context,
    ) -> bool:
        """Run a plugin whose connections pass nobody; where nothing may go out, only say so."""
        request = Request(method=plugin.__name__.removeprefix("Notify").upper(), url="")
        if not self._transport.live:
            await trip.hop(request)
            return True
        done = await self._run_apart(work, trip, context, request)
        if not trip.hops:
            refused = TransportError("the provider's plugin could not send", sent=False)
            trip.hops.append(Hop(request, error=None if done else refused))
        return done
