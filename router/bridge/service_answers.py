"""Declarative tables that read the answers of a service where they differ from HTTP."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import Struct

from router.bridge.exchange import Exchange
from router.bridge.outcomes import ResponseCodes, count_seconds, read_utc
from router.channel import Request

Scalar = str | int | float | bool
"""A value to compare with a body; `0` equals `"0"`, and `True` equals `"true"`."""

Unit = Literal["s", "ms", "epoch_s", "epoch_ms", "date"]
"""The unit of a time to wait: a duration, or a point in time (`date` is ISO 8601)."""

_MAX_CODE_LENGTH = 40


class BodyTest(Struct, frozen=True):
    """A sign in the body of a 2xx answer that the provider did not accept the message.

    `path` names a value of the JSON body: keys and indexes with dots between them, as
    `messages.0.status`; `*` is the first element of an object or a list. An empty path is the
    whole body as text. The test holds when the value equals one of `equals`, is none of
    `other_than`, or contains the regular expression `matches`. With none of the three it holds
    for every value except null, false, zero and an empty one. An absent value never fails a
    message, and neither does a list or an object where scalars are compared.
    """

    path: str
    equals: tuple[Scalar, ...] = ()
    other_than: tuple[Scalar, ...] = ()
    matches: str = ""

    def holds(self, exchange: Exchange) -> bool:
        """Return whether the answer shows the sign."""
        value = _value_at(exchange, self.path)
        if self.matches:
            return re.search(self.matches, _as_text(value), re.IGNORECASE) is not None
        if not self.equals and not self.other_than:
            return bool(value)
        if not isinstance(value, Scalar):
            return False
        text = _as_text(value)
        if self.equals:
            return text in map(_as_text, self.equals)
        return text not in map(_as_text, self.other_than)


class ErrorCode(Struct, frozen=True):
    """The place of a service's short error code in an answer; `path` as in `BodyTest`.

    With `matches`, the code is the first group of that regular expression, or else the whole match,
    in lower case. This turns a sentence of the service into a code of fixed words.
    """

    path: str
    matches: str = ""

    def read(self, exchange: Exchange) -> str:
        """Return the code, empty where the answer has none."""
        value = _value_at(exchange, self.path)
        if self.matches:
            match = re.search(self.matches, _as_text(value), re.IGNORECASE)
            return "" if match is None else match[match.re.groups and 1].lower()
        if not isinstance(value, Scalar) or isinstance(value, bool):
            return ""
        text = _as_text(value)
        return text if text.isprintable() and len(text) <= _MAX_CODE_LENGTH else ""


class RetryAfter(Struct, frozen=True):
    """A time to wait in another place than the header `Retry-After`.

    It is a value of the JSON body at `path`, or else the `header` (in lower case). A header
    counts with a 429 alone: many services send the end of their window with every answer.
    """

    path: str = ""
    header: str = ""
    unit: Unit = "s"

    def read(self, exchange: Exchange, now: float) -> float | None:
        """Return the seconds to wait from `now` (an epoch second), None where the answer has none.

        The number may be negative or huge: `asked_wait` says which numbers are times.
        """
        if self.header and exchange.status != 429:  # noqa: PLR2004 - HTTP's own number
            return None
        value = exchange.headers.get(self.header) if self.header else _value_at(exchange, self.path)
        try:
            seconds = self._to_seconds(value, now)
        except (ValueError, OverflowError):
            return None
        return seconds if math.isfinite(seconds) else None

    def _to_seconds(self, value: object, now: float) -> float:
        """Return a value as seconds; raises `ValueError` or `OverflowError` for other texts."""
        if not isinstance(value, str | int | float):
            return math.nan
        if self.unit == "date":
            return read_utc(datetime.fromisoformat(str(value))).timestamp() - now
        number = float(value) / 1000 if self.unit in {"ms", "epoch_ms"} else float(value)
        return count_seconds(number, now)


class ServiceAnswers(Struct, frozen=True, kw_only=True):
    """The meanings of a service's answers, as its vendor documents them.

    `source` is the vendor's page. `failures` are signs in a 2xx body that the message was not
    accepted. `codes` are the places of the error code; the first that holds one counts.
    `response_codes` maps codes (text) and statuses (numbers) to meanings; a code precedes a status,
    and HTTP and Apprise decide the rest. `retry_after` names further times to wait. `login` is a
    regular expression for the URLs that issue credentials: a refusal there concerns the channel,
    never a recipient. `logout` is one for the URLs that revoke them: their answers decide nothing.
    `lookup` is one for the URLs that only query the service: a send without another request
    delivers nothing. `new_address` is the place of an address that a refusal names instead.
    `blamed` is a regular expression whose group is the list of addresses that a refusal concerns:
    where the list is the recipient's address alone, the refusal concerns the recipient. `success`
    and `success_status` are the documented answer to an accepted message; the sandbox returns it.
    """

    source: str
    failures: tuple[BodyTest, ...] = ()
    codes: tuple[ErrorCode, ...] = ()
    response_codes: ResponseCodes = {}
    retry_after: tuple[RetryAfter, ...] = ()
    login: str = ""
    logout: str = ""
    lookup: str = ""
    new_address: str = ""
    blamed: str = ""
    success: bytes = b""
    success_status: int = 200

    def error_code(self, exchange: Exchange) -> str:
        """Return the error code of a refusal; empty for an answer that accepts the message."""
        if 200 <= (exchange.status or 0) < 300:  # noqa: PLR2004 - HTTP's own numbers
            failure = next((test for test in self.failures if test.holds(exchange)), None)
            if failure is None:
                return ""
            return self._find_code(exchange) or _failure_code(failure)
        return self._find_code(exchange)

    def _find_code(self, exchange: Exchange) -> str:
        return next(filter(None, (code.read(exchange) for code in self.codes)), "")

    def wait_time(self, exchange: Exchange, now: float) -> float | None:
        """Return the longest time that the answer names beside `Retry-After`, in seconds."""
        waits_s = (retry_after.read(exchange, now) for retry_after in self.retry_after)
        return max((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    def is_login(self, request: Request) -> bool:
        """Return whether a request asks for a credential and carries no message."""
        return bool(self.login) and re.search(self.login, request.url) is not None

    def is_lookup(self, request: Request) -> bool:
        """Return whether a request only queries the service, and carries no message."""
        return bool(self.lookup) and re.search(self.lookup, request.url) is not None

    def find_new_address(self, exchange: Exchange) -> str:
        """Return the address that a refusal names instead of the recipient's; empty for none."""
        value = _value_at(exchange, self.new_address) if self.new_address else None
        text = _as_text(value) if isinstance(value, Scalar) and not isinstance(value, bool) else ""
        return text if text.isprintable() and len(text) <= _MAX_CODE_LENGTH else ""

    def blames_only(self, exchange: Exchange, address: str) -> bool:
        """Return whether a refusal concerns the recipient's address and no other."""
        match = (
            re.search(self.blamed, _as_text(_value_at(exchange, "")))
            if self.blamed and address
            else None
        )
        return match is not None and match[1].strip().casefold() == address.casefold()

    def find_deciding(self, exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
        """Return the exchanges up to the deciding one: the last that is no logout."""
        if not self.logout:
            return exchanges
        last_index = max(
            (
                index
                for index, exchange in enumerate(exchanges)
                if not re.search(self.logout, exchange.request.url)
            ),
            default=len(exchanges) - 1,
        )
        return exchanges[: last_index + 1]


def group_response_codes(  # noqa: PLR0913 - a list for each meaning
    *,
    delivered: Iterable[int | str] = (),
    gone: Iterable[int | str] = (),
    rejected: Iterable[int | str] = (),
    retry: Iterable[int | str] = (),
    refused: Iterable[int | str] = (),
    throttled: Iterable[int | str] = (),
    suspend: Iterable[int | str] = (),
) -> ResponseCodes:
    """Return a table of codes and statuses from lists by meaning."""
    return {
        **dict.fromkeys(delivered, "delivered"),
        **dict.fromkeys(gone, "gone"),
        **dict.fromkeys(rejected, "rejected"),
        **dict.fromkeys(retry, "retry"),
        **dict.fromkeys(throttled, "throttled"),
        **dict.fromkeys(refused, "refused"),
        **dict.fromkeys(suspend, "suspend"),
    }


HTTP_ONLY = ServiceAnswers(source="https://www.rfc-editor.org/rfc/rfc9110#section-15")
"""The table of a service without a table of its own: HTTP decides."""

_shared: dict[str, ServiceAnswers] = {}


def share_service_answers(services: Mapping[str, ServiceAnswers]) -> None:
    """Share a plugin's tables with every channel; the keys are names of Apprise classes.

    A plugin calls this function from its hook. A channel's own table precedes the shared ones.
    """
    _shared.update(services)


def find_service_answers(
    kind: type, services: Mapping[str, ServiceAnswers] | None = None
) -> ServiceAnswers:
    """Return the table for an Apprise class or a parent of it; `services` precede shared tables."""
    tables = (services or {}, _shared)
    names = [parent.__name__ for parent in kind.__mro__]
    matching_tables = (table[name] for table in tables for name in names if name in table)
    return next(matching_tables, HTTP_ONLY)


@lru_cache(1024)
def _split_path(path: str) -> tuple[str | int, ...]:
    return tuple(int(step) if step.isdigit() else step for step in path.split("."))


def _value_at(exchange: Exchange, path: str) -> object:
    """Return the value at a path, None where there is none."""
    if not path:
        return exchange.body.decode("utf-8", "replace")
    value: object = exchange.json
    for step in _split_path(path):
        if step == "*":
            members = list(value.values()) if isinstance(value, dict) else value
            value = members[0] if isinstance(members, list) and members else None
        elif isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        else:
            return None
    return value


def _as_text(value: object) -> str:
    """Return a value as text, so that `1`, `1.0` and `"1"` compare equal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, Scalar) else msgspec.json.encode(value).decode()


def _failure_code(failure: BodyTest) -> str:
    """Return a code for a failure without one: the path of the sign."""
    return f"says failure in {failure.path}" if failure.path else "says failure"


_CODES = re.compile(r"(?:\S{1,40}(?: |$)){1,8}")


def bound_code(code: str) -> str:
    """Return an error code, or `no code` for a text that is too long to be a code."""
    return code if not code or _CODES.fullmatch(code) else "no code"
