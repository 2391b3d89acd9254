"""What the exchanges of a send mean, by the provider's own table and else by its protocol."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, assert_never

from msgspec.structs import replace

from router.bridge.exchange import Exchange
from router.channel import Request, TargetError, TransportError, UntrustedServerError
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Scope, Suspend, Unknown
from router.core.model.retry import THROTTLED
from router.redaction import Redactor

ResponseMeaning = Literal[
    "delivered", "retry", "throttled", "rejected", "gone", "unknown", "suspend", "refused"
]
"""The meaning of an answer.

`throttled` is `retry`, and the attempt does not count: the provider asks for fewer requests. `gone`
is `rejected`, and the address is dead for every message. `suspend` is about the channel's own
credential or account; `refused` does not say whether it is about that or about the recipient.
"""

ResponseCodes = Mapping[int | str, ResponseMeaning]
"""A provider's statuses and error codes with what they mean; a code goes before a status."""

_FIRST_EPOCH_S = 1e9
"""A number of seconds that is a point in time, not a wait of thirty years."""

_FIRST_EPOCH_MS = 1e11
"""One that is a point in time in milliseconds."""

MAX_REASON_LENGTH = 200
"""Characters of a reason that are kept."""

_NUMBER = re.compile(r"[0-9.]+")
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_AUTH_STATUSES = frozenset({401, 403})
_PROXY_AUTH_REQUIRED = 407
_ENHANCED_STATUS_CODE = re.compile(rb"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_BEFORE_RECIPIENTS = frozenset({"connect", "auth", "mail"})
"""The SMTP commands that come before a recipient is named: their refusals are about the sender."""

_LOGIN_REPLIES = frozenset({530, 534, 535, 538})
"""Replies that ask for a login or refuse it, to whatever command (RFC 4954, section 6)."""

_MAX_REPLY_TEXT_LENGTH = 120
"""Characters of a mail server's own words that a reason holds."""


def make_outcome(
    meaning: ResponseMeaning,
    *,
    status: int | None = None,
    reason: str = "",
    after: float | None = None,
    handle: str = "",
) -> Outcome:
    """Return the outcome of a reading; `after` is in seconds."""
    match meaning:
        case "delivered":
            return Delivered(status=status, handle=handle)
        case "retry" | "throttled":
            # A status of 429 says it by itself.
            is_throttled = meaning == "throttled" and status != THROTTLED
            return Retry(status=status, reason=reason, after=after, throttled=is_throttled)
        case "rejected" | "gone":
            return Rejected(status=status, reason=reason, forget_contact=meaning == "gone")
        case "unknown":
            return Unknown(status=status, reason=reason)
        case "suspend" | "refused":
            scope: Scope = "recipient" if meaning == "refused" else "channel"
            return Suspend(status=status, reason=reason, after=after, scope=scope)
        case _ as never:  # pragma: no cover - the type checker proves it empty
            assert_never(never)


def attribute(
    outcome: Outcome,
    *,
    is_login: bool,
    is_message: bool,
    is_personal: bool,
    is_address_blamed: bool,
) -> Outcome:
    """Return the outcome of an answer with whom its refusal is about.

    The answer is one to a login (`is_login`), to a request that carries the message
    (`is_message`), or to a look-up. Without `is_personal` the destination is the operator's own:
    where it is gone the channel waits, for each message would be a dead letter. With
    `is_address_blamed` the address is what a table takes for the credential or the sender.
    """
    if isinstance(outcome, Rejected) and outcome.status and is_login:
        outcome = Suspend(status=outcome.status, reason=f"{outcome.reason} (at the login)")
    if isinstance(outcome, Rejected) and outcome.forget_contact and not is_personal:
        outcome = Suspend(status=outcome.status, reason=outcome.reason)
    if not isinstance(outcome, Suspend):
        return outcome
    if is_login or not is_message or not is_personal:
        return replace(outcome, scope="channel")
    return replace(outcome, scope="recipient") if is_address_blamed else outcome


def classify_response(
    exchanges: Sequence[Exchange],
    *,
    response_codes: ResponseCodes,
    now: float,
    code: str = "",
    handle: str = "",
) -> Outcome:
    """Return what the last exchange means.

    `code` is the provider's error code found in it, `now` the epoch second that a Retry-After
    date is measured from.
    """
    if not exchanges:
        return Rejected(reason="the plugin made no request for the message")
    exchange = exchanges[-1]
    if exchange.error is not None:
        return make_outcome(
            _classify_error(exchange.error, exchange.request), reason=exchange.error.reason
        )
    status = exchange.status or 0
    return make_outcome(
        _classify(exchange, status, response_codes, code),
        status=status,
        reason=_describe_status(exchange, status, code),
        after=read_retry_after(exchange.headers.get("retry-after", ""), now),
        handle=handle,
    )


def _classify_error(error: TransportError, request: Request) -> ResponseMeaning:
    """Return what it means that no answer came; a recipient's own server stops nobody else."""
    if isinstance(error, TargetError):
        return "rejected"
    if isinstance(error, UntrustedServerError) and not request.guarded:
        return "suspend"
    return "unknown" if error.sent else "retry"


def look_up_code(
    response_codes: ResponseCodes, status: int | None, code: str
) -> ResponseMeaning | None:
    """Return the reading that a provider's table has for an answer, None where it has none."""
    if code in response_codes:
        return response_codes[code]
    return None if status is None else response_codes.get(status)


def _classify(
    exchange: Exchange, status: int, response_codes: ResponseCodes, code: str
) -> ResponseMeaning:
    if exchange.request.method == "SMTP" and _is_about_sender(exchange):
        return _classify_smtp_code(exchange, status)
    is_mail = exchange.request.method == "SMTP"
    general = _classify_smtp_code(exchange, status) if is_mail else _classify_http_status(status)
    match look_up_code(response_codes, status, code):
        case "suspend" if _names(exchange, "to") and not _names(exchange, "from"):
            return "refused"
        case "gone" if _names(exchange, "from") and not _names(exchange, "to"):
            return "suspend"
        case "gone" if is_mail and general == "retry":
            return "retry"  # the code may say 5.1.1; the server says that it may be otherwise later
        case None:
            pass
        case meaning:
            return meaning
    return "rejected" if code and general == "delivered" else general


def _classify_http_status(status: int) -> ResponseMeaning:
    """Return what a status means in general (RFC 9110)."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return "delivered"
    if status in _TRANSIENT_STATUSES or status >= 500:  # noqa: PLR2004 - the same
        return "retry"
    if status in _AUTH_STATUSES:
        return "refused"
    return "suspend" if status == _PROXY_AUTH_REQUIRED else "rejected"


def _classify_smtp_code(exchange: Exchange, code: int) -> ResponseMeaning:
    """Return what a reply means in general (RFC 5321): who was refused, and for how long."""
    if 200 <= code < 300:  # noqa: PLR2004 - SMTP's own numbers
        return "delivered"
    if 400 <= code < 500:  # noqa: PLR2004 - the same
        return "retry"
    return "suspend" if _is_about_sender(exchange) else "rejected"


def _is_about_sender(exchange: Exchange) -> bool:
    """Return whether a mail server refused before it heard of a recipient, or wants a login."""
    is_early = exchange.headers.get("smtp-command") in _BEFORE_RECIPIENTS
    return is_early or exchange.status in _LOGIN_REPLIES


def _names(exchange: Exchange, end: Literal["from", "to"]) -> bool:
    """Return whether a mail server's words name the address at an end of the mail.

    Amazon SES names the addresses that it has not verified, either end's:
    https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
    """
    if exchange.request.method != "SMTP":
        return False
    words = exchange.body.decode("utf-8", "replace").lower()
    addresses = exchange.request.headers.get(end, "").lower().split(", ")
    return any(address and address in words for address in addresses)


def _describe_status(exchange: Exchange, status: int, code: str) -> str:
    """Return a status in words that hold nothing of the message."""
    if exchange.request.method == "SMTP":
        return _describe_smtp_reply(exchange, status, code)
    words = f"{status} {_status_phrase(status)}".rstrip()
    return f"{words} ({code})" if code else words


def _describe_smtp_reply(exchange: Exchange, status: int, code: str) -> str:
    """Return a mail server's refusal with its own words, in which no address is left.

    They are what an operator has to go by: one code stands for many reasons.
    """
    words = exchange.body.decode("utf-8", "replace")
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    words = re.sub(r"<[^>]*>|\S*@\S*", "…", words)
    for address in exchange.request.headers.get("to", "").split(", "):
        if local := address.rpartition("@")[0]:
            words = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "…", words, flags=re.IGNORECASE)
    if len(words) > _MAX_REPLY_TEXT_LENGTH:
        words = words[: _MAX_REPLY_TEXT_LENGTH - 1] + "…"
    refused = f"{status} to {exchange.headers.get('smtp-command', 'data')}"
    shown = code if code and code.casefold() not in words.casefold() else ""
    return f"{refused}{shown and f' ({shown})'}{words and f': {words}'}"


def _status_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return ""


def read_enhanced_code(exchange: Exchange) -> str:
    """Return the enhanced status code (RFC 3463) of a mail server's refusal, as `5.1.1`."""
    if exchange.request.method != "SMTP" or (exchange.status or 0) < 400:  # noqa: PLR2004 - SMTP's own number
        return ""
    match = _ENHANCED_STATUS_CODE.match(exchange.body)
    return match.group(1).decode() if match else ""


def read_retry_after(text: str, now: float) -> float | None:
    """Return a Retry-After header, in seconds or as a date, as seconds from now.

    The number is as it came: `asked_wait` says which numbers are times.
    """
    text = text.strip()
    try:
        return (
            count_seconds(float(text), now)
            if _NUMBER.fullmatch(text)
            else _seconds_until(text, now)
        )
    except (ValueError, OverflowError):
        return None


def count_seconds(number: float, now: float) -> float:
    """Return the seconds from now that a provider names, be it as a point in time.

    Services write epoch seconds, or milliseconds, where seconds are documented, and the reverse.
    """
    if number >= _FIRST_EPOCH_MS:
        number /= 1000
    return number - now if number >= _FIRST_EPOCH_S else number


def _seconds_until(date: str, now: float) -> float:
    """Return the seconds until an HTTP date; one without a zone is in UTC (RFC 9110, 5.6.7)."""
    return read_utc(parsedate_to_datetime(date)).timestamp() - now


def read_utc(at: datetime) -> datetime:
    """Return a time with its zone, UTC where it has none."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def redact_outcome(redactor: Redactor, outcome: Outcome, address: str) -> Outcome:
    """Return an outcome with neither a secret nor the address in its words, and not long."""
    redacted = redactor.mask_outcome(outcome, address)
    if isinstance(redacted, Delivered):
        handle = redacted.handle if _HANDLE.fullmatch(redacted.handle) else ""
        return replace(redacted, handle=handle)
    return replace(redacted, reason=redacted.reason[:MAX_REASON_LENGTH])


_HANDLE = re.compile(r"\S{1,200}")
"""What a provider may call a message: with a space in it, it is some other text."""
