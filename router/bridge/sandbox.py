"""A transport that asks the plugin what its provider would answer, and opens no socket."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from msgspec import Struct

from router.channel import Request, Response


class Exchange(Struct, frozen=True, kw_only=True):
    """A request that would have gone out, secrets masked, and the answer it got.

    `response` is None when a fault stood in for the answer. `delivery` is the id bound by
    the worker, empty outside of one.
    """

    delivery: str
    channel: str
    request: Request
    response: Response | None


class Fault(Struct, frozen=True, kw_only=True):
    """What is made to go wrong: wait `delay` seconds, then reset, or answer `status`."""

    status: int | None = None
    delay: float = 0.0
    reset: bool = False
    retry_after: float | None = None


class SandboxTransport:
    """Answers as the channel says its provider would, and records each exchange."""

    live = False

    def __init__(  # noqa: PLR0913 - each says one thing of the sandbox
        self,
        answer: Callable[[Request], Response],
        record: Callable[[Exchange], None],
        *,
        channel: str,
        secrets: Iterable[str] = (),
        faults: Mapping[str, Fault] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Stand in for the provider of a channel.

        `secrets` are masked in what is recorded; `faults` is looked up by channel on each
        request, so that it may change at run time.
        """

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Return the provider's would-be answer."""
        raise NotImplementedError
