"""A transport that answers from a script, in place of a provider."""

import asyncio
from collections.abc import Callable, Sequence

from router.channel import Request, Response, TransportError

ScriptedResult = Response | TransportError | None
"""What comes of a request; None: nothing, until the send is called off."""


class ScriptedTransport:
    """Answers requests that carry the message with `line`, all others as in a sandbox."""

    is_live = False

    def __init__(self, line: ScriptedResult | Callable[[Request], ScriptedResult]) -> None:
        """Take the answer, or a function that gives it for a request."""
        self.line = line
        self.carries_message: Callable[[Request], bool] = lambda _: True
        self.aside: Callable[[Request], Response] = lambda _: Response(status=200, body=b"{}")
        self.carried: list[Request] = []
        self.waiting = asyncio.Event()

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109, ARG002 - the port's signature
        """Return the scripted answer, or raise the scripted error."""
        if not self.carries_message(request):
            return self.aside(request)
        self.carried.append(request)
        line = self.line(request) if callable(self.line) else self.line
        if isinstance(line, TransportError):
            raise TransportError(line.reason, sent=line.sent)
        if line is None:
            self.waiting.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody called the send off")
        return line


def request_hosts(requests: Sequence[Request]) -> set[str]:
    """Return the hosts that requests went to."""
    return {request.url.split("/", 3)[2].rpartition("@")[2] for request in requests}
