"""The outcome of a send's exchanges, by the provider's table or else by its protocol."""

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
is `rejected`, and the address is dead for every message. `suspend` concerns the channel's own
credential or account; `refused` may concern that or the recipient.
"""

ResponseCodes = Mapping[int | str, ResponseMeaning]
"""A provider's statuses and error codes with their meanings; a code precedes a status."""

_FIRST_EPOCH_S = 1e9
"""The least number that is an epoch second, not a wait of thirty years."""

_FIRST_EPOCH_MS = 1e11
"""The least number that is an epoch time in milliseconds."""

MAX_REASON_LENGTH = 200
"""Characters of a reason that are kept."""

_NUMBER = re.compile(r"[0-9.]+")
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_AUTH_STATUSES = frozenset({401, 403})
_PROXY_AUTH_REQUIRED = 407
_ENHANCED_STATUS_CODE = re.compile(rb"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_BEFORE_RECIPIENTS = frozenset({"connect", "auth", "mail"})
"""The SMTP commands before a recipient is named: their refusals concern the sender."""

_LOGIN_REPLIES = frozenset({530, 534, 535, 538})
"""Replies that ask for a login or refuse it, to any command (RFC 4954, section 6)."""

_MAX_REPLY_TEXT_LENGTH = 120
"""Characters of a mail server's reply text that a reason holds."""


def make_outcome(
    meaning: ResponseMeaning,
    *,
    status: int | None = None,
    reason: str = "",
    after: float | None = None,
    handle: str = "",
) -> Outcome:
    """Return the outcome for a meaning; `after` is in seconds."""
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
    """Return an outcome whose scope says whom the refusal concerns: channel or recipient.

    The answer is to a login (`is_login`), to a request that carries the message (`is_message`), or
    to a look-up. Without `is_personal` the destination is the operator's own: where it is gone the
    channel is suspended, since each message would become a dead letter. With `is_address_blamed`
    the address is the credential or sender that the provider's table names.
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
    """Return the outcome of the last exchange.

    `code` is the provider's error code in it, `now` the current epoch second, against which a
    Retry-After date is measured.
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
    """Return the meaning of a missing answer; a recipient's server never suspends the channel."""
    if isinstance(error, TargetError):
        return "rejected"
    if isinstance(error, UntrustedServerError) and not request.guarded:
        return "suspend"
    return "unknown" if error.sent else "retry"


def look_up_code(
    response_codes: ResponseCodes, status: int | None, code: str
) -> ResponseMeaning | None:
    """Return the meaning of a code or status in a provider's table, None where it has none."""
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
            return "retry"  # the enhanced code may be 5.1.1, but a reply 4xx is temporary
        case None:
            pass
        case meaning:
            return meaning
    return "rejected" if code and general == "delivered" else general


def _classify_http_status(status: int) -> ResponseMeaning:
    """Return the general meaning of a status (RFC 9110)."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return "delivered"
    if status in _TRANSIENT_STATUSES or status >= 500:  # noqa: PLR2004 - the same
        return "retry"
    if status in _AUTH_STATUSES:
        return "refused"
    return "suspend" if status == _PROXY_AUTH_REQUIRED else "rejected"


def _classify_smtp_code(exchange: Exchange, code: int) -> ResponseMeaning:
    """Return the general meaning of a reply code (RFC 5321)."""
    if 200 <= code < 300:  # noqa: PLR2004 - SMTP's own numbers
        return "delivered"
    if 400 <= code < 500:  # noqa: PLR2004 - the same
        return "retry"
    return "suspend" if _is_about_sender(exchange) else "rejected"


def _is_about_sender(exchange: Exchange) -> bool:
    """Return whether a mail server refused before any recipient was named, or requires a login."""
    is_early = exchange.headers.get("smtp-command") in _BEFORE_RECIPIENTS
    return is_early or exchange.status in _LOGIN_REPLIES


def _names(exchange: Exchange, header: Literal["from", "to"]) -> bool:
    """Return whether a mail server's reply names the sender, or a recipient.

    Amazon SES names the addresses that it has not verified, the sender's and the recipients':
    https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
    """
    if exchange.request.method != "SMTP":
        return False
    text = exchange.body.decode("utf-8", "replace").lower()
    addresses = exchange.request.headers.get(header, "").lower().split(", ")
    return any(address and address in text for address in addresses)


def _describe_status(exchange: Exchange, status: int, code: str) -> str:
    """Return a status as text that holds nothing of the message."""
    if exchange.request.method == "SMTP":
        return _describe_smtp_reply(exchange, status, code)
    text = f"{status} {_status_phrase(status)}".rstrip()
    return f"{text} ({code})" if code else text


def _describe_smtp_reply(exchange: Exchange, status: int, code: str) -> str:
    """Return a mail server's refusal with its reply text, without any address.

    An operator needs the text: one code stands for many reasons.
    """
    text = exchange.body.decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = re.sub(r"<[^>]*>|\S*@\S*", "…", text)
    for address in exchange.request.headers.get("to", "").split(", "):
        if local_part := address.rpartition("@")[0]:
            text = re.sub(rf"(?<!\w){re.escape(local_part)}(?!\w)", "…", text, flags=re.IGNORECASE)
    if len(text) > _MAX_REPLY_TEXT_LENGTH:
        text = text[: _MAX_REPLY_TEXT_LENGTH - 1] + "…"
    summary = f"{status} to {exchange.headers.get('smtp-command', 'data')}"
    if code and code.casefold() not in text.casefold():
        summary += f" ({code})"
    return f"{summary}: {text}" if text else summary


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
    """Return a Retry-After header, in seconds or as a date, as seconds from `now`.

    The number may be negative or huge: `asked_wait` says which numbers are times.
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
    """Return a provider's number as seconds from `now`, also where it is a point in time.

    Services write epoch seconds, or milliseconds, where they document seconds, and the reverse.
    """
    if number >= _FIRST_EPOCH_MS:
        number /= 1000
    return number - now if number >= _FIRST_EPOCH_S else number


def _seconds_until(date: str, now: float) -> float:
    """Return the seconds until an HTTP date; a date without a zone is in UTC (RFC 9110, 5.6.7)."""
    return read_utc(parsedate_to_datetime(date)).timestamp() - now


def read_utc(moment: datetime) -> datetime:
    """Return a time with its zone, UTC where it has none."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def redact_outcome(redactor: Redactor, outcome: Outcome, address: str) -> Outcome:
    """Return an outcome whose bounded texts hold neither a secret nor the address."""
    redacted = redactor.mask_outcome(outcome, address)
    if isinstance(redacted, Delivered):
        handle = redacted.handle if _HANDLE.fullmatch(redacted.handle) else ""
        return replace(redacted, handle=handle)
    return replace(redacted, reason=redacted.reason[:MAX_REASON_LENGTH])


_HANDLE = re.compile(r"\S{1,200}")
"""The form of a provider's message id: a text with a space is not one."""
