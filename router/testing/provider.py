"""A provider on loopback that answers what a test tells it to."""

from collections.abc import Callable, Iterable
from typing import Literal, Self

from msgspec import Struct, field

from router.channel import Request


class Reply(Struct, frozen=True, kw_only=True):
    """What the provider does with one request.

    `fault`: `hang` never answers, `reset` reads the request and cuts the connection, `drip`
    sends the body a byte at a time, `pause` seconds apart.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    fault: Literal["hang", "reset", "drip", ""] = ""
    pause: float = 0.05


class Provider:
    """A real HTTP server on a free loopback port.

    `async with Provider() as provider:` serves it; `provider.url` is its base URL. `script`
    replies are used up in order, then `answer` (a callable from the request) speaks.
    `requests` holds every request it read.
    """

    url: str
    requests: list[Request]

    def __init__(
        self,
        *script: Reply,
        answer: Callable[[Request], Reply] = lambda _: Reply(),
    ) -> None:
        """Prepare the script."""

    def say(self, replies: Iterable[Reply]) -> None:
        """Put replies at the end of the script."""

    async def __aenter__(self) -> Self:
        """Serve."""
        raise NotImplementedError

    async def __aexit__(self, *_: object) -> None:
        """Stop, cutting what still hangs."""
