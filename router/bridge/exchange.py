"""One request of a send and its answer."""

from collections.abc import Sequence
from functools import cached_property

import msgspec

from router.channel import Request, Response, TransportError
from router.core.model.byte_order_mark import skip_byte_order_mark


class Exchange:
    """A request with its response, or with the error in its place; never in a log.

    It has neither where a plugin that opens connections by itself reports success.
    """

    def __init__(
        self,
        request: Request,
        response: Response | None = None,
        error: TransportError | None = None,
        *,
        is_login: bool = False,
    ) -> None:
        self.is_login = is_login
        self.request = request
        self.response = response
        self.error = None if error is None else error.without_frames()

    @property
    def status(self) -> int | None:
        """The HTTP status (or SMTP code), None without an answer."""
        return None if self.response is None else self.response.status

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers, names in lower case."""
        return {} if self.response is None else self.response.headers

    @property
    def body(self) -> bytes:
        """The answer's body, bounded; empty without an answer."""
        return b"" if self.response is None else self.response.body

    @cached_property
    def json(self) -> object:
        """The answer's body as JSON, None where it is not JSON."""
        try:
            return msgspec.json.decode(skip_byte_order_mark(self.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def json_value(self, *path: str | int) -> object:
        """Return the value at a path of the JSON body, None where there is none."""
        value = self.json
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif (
                isinstance(value, list)
                and isinstance(step, int)
                and -len(value) <= step < len(value)
            ):
                value = value[step]
            else:
                return None
        return value

    def __repr__(self) -> str:
        """Return the method and the status alone: URL and texts may hold secrets."""
        return f"Exchange({self.request.method} → {self.status or self.error})"


def find_failed_exchange(exchanges: Sequence[Exchange]) -> Exchange:
    """Return the exchange that failed: the last refused one with the method and path of the last.

    A message that Apprise splits goes out as several such requests.
    """
    last = exchanges[-1]
    pieces = [exchange for exchange in exchanges if _endpoint(exchange) == _endpoint(last)]
    refused = [exchange for exchange in pieces if not is_success(exchange)]
    return refused[-1] if refused else last


def _endpoint(exchange: Exchange) -> tuple[str, str]:
    return exchange.request.method, exchange.request.url.partition("?")[0]


def is_success(exchange: Exchange) -> bool:
    """Return whether the answer has a status of success."""
    return exchange.status is not None and 200 <= exchange.status < 300  # noqa: PLR2004 - HTTP's own numbers
