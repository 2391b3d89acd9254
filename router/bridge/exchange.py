"""One request of a send and what came of it."""

from collections.abc import Sequence
from functools import cached_property

import msgspec

from router.channel import Request, Response, TransportError
from router.core.model.byte_order_mark import skip_byte_order_mark


class Hop:
    """A request with its response, or with the error that stood for one; never in a log.

    With neither, a plugin that opens connections by itself says that it sent.
    """

    def __init__(
        self,
        request: Request,
        response: Response | None = None,
        error: TransportError | None = None,
        *,
        login: bool = False,
    ) -> None:
        """Join a request with what came of it; one of a `login` carries no message."""
        self.login = login
        self.request = request
        self.response = response
        self.error = None if error is None else error.without_frames()

    @property
    def status(self) -> int | None:
        """The HTTP status (or SMTP code), None when no answer came."""
        return None if self.response is None else self.response.status

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers, names in lower case."""
        return {} if self.response is None else self.response.headers

    @property
    def body(self) -> bytes:
        """The answer's body, bounded; empty when no answer came."""
        return b"" if self.response is None else self.response.body

    @cached_property
    def json(self) -> object:
        """The answer's body as JSON, None when it is none."""
        try:
            return msgspec.json.decode(skip_byte_order_mark(self.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def field(self, *path: str | int) -> object:
        """Return what stands at a path of the JSON body, None where there is nothing."""
        here = self.json
        for step in path:
            if isinstance(here, dict) and isinstance(step, str):
                here = here.get(step)
            elif (
                isinstance(here, list) and isinstance(step, int) and -len(here) <= step < len(here)
            ):
                here = here[step]
            else:
                return None
        return here

    def __repr__(self) -> str:
        """Name the method and the status; URL and texts may hold secrets."""
        return f"Hop({self.request.method} → {self.status or self.error})"


def find_failure(hops: Sequence[Hop]) -> Hop:
    """Return the hop that a failed send failed at: of pieces to one place, the last refused."""
    last = hops[-1]
    place = (last.request.method, last.request.url.partition("?")[0])
    pieces = [h for h in hops if (h.request.method, h.request.url.partition("?")[0]) == place]
    refused = [hop for hop in pieces if not is_success(hop)]
    return refused[-1] if refused else last


def is_success(hop: Hop) -> bool:
    """Return whether the answer has a status of success."""
    return hop.status is not None and 200 <= hop.status < 300  # noqa: PLR2004 - HTTP's own numbers
