"""The way out of the process: one pooled session for every provider."""

from collections.abc import Mapping

from router.channel import Request, Response


class AiohttpTransport:
    """Sends requests over one shared session; `rewrite` maps a host to a base URL (tests only)."""

    live = True

    def __init__(self, *, rewrite: Mapping[str, str] | None = None) -> None:
        """Open nothing yet; the session is made with the first request."""

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Return the answer, or raise `TransportError`."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close every connection."""
