"""What the hops of a send mean, by the provider's own table and else by its protocol."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, assert_never

from msgspec.structs import replace

from router.bridge.exchange import Hop
from router.channel import Request, TargetError, TransportError, UntrustedServerError
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Scope, Suspend, Unknown
from router.core.model.retry import THROTTLED

Reading = Literal[
    "delivered", "retry", "throttled", "rejected", "gone", "unknown", "suspend", "refused"
]
"""The meaning of an answer.

`throttled` is `retry`, and the attempt does not count: the provider asks for fewer requests. `gone`
is `rejected`, and the address is dead for every message. `suspend` is about the channel's own
credential or account; `refused` does not say whether it is about that or about the recipient.
"""

Answers = Mapping[int | str, Reading]
"""A provider's statuses and error codes with what they mean; a code goes before a status."""

_FIRST_EPOCH_S = 1e9
"""A number of seconds that is a point in time, not a wait of thirty years."""

_FIRST_EPOCH_MS = 1e11
"""One that is a point in time in milliseconds."""

_NUMBER = re.compile(r"[0-9.]+")
_PASSING = frozenset({408, 425, 429})
_REFUSED = frozenset({401, 403})
_PROXY_REFUSED = 407
_ENHANCED = re.compile(rb"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_BEFORE_RECIPIENTS = frozenset({"connect", "auth", "mail"})
"""The SMTP commands that come before a recipient is named: their refusals are about the sender."""

_LOGIN_REPLIES = frozenset({530, 534, 535, 538})
"""Replies that ask for a login or refuse it, to whatever command (RFC 4954, section 6)."""

_WORDS = 120
"""Characters of a mail server's own words that a reason holds."""


def conclude(
    reading: Reading,
    *,
    status: int | None = None,
    reason: str = "",
    after: float | None = None,
    handle: str = "",
) -> Outcome:
    """Return the outcome of a reading; `after` is in seconds."""
    match reading:
        case "delivered":
            return Delivered(status=status, handle=handle)
        case "retry" | "throttled":
            # A status of 429 says it by itself.
            is_throttled = reading == "throttled" and status != THROTTLED
            return Retry(status=status, reason=reason, after=after, throttled=is_throttled)
        case "rejected" | "gone":
            return Rejected(status=status, reason=reason, forget_contact=reading == "gone")
        case "unknown":
            return Unknown(status=status, reason=reason)
        case "suspend" | "refused":
            scope: Scope = "recipient" if reading == "refused" else "channel"
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
        outcome = Suspend(status=outcome.status, reason=f"{outcome.reason}, at the login")
    if isinstance(outcome, Rejected) and outcome.forget_contact and not is_personal:
        outcome = Suspend(status=outcome.status, reason=outcome.reason)
    if not isinstance(outcome, Suspend):
        return outcome
    if is_login or not is_message or not is_personal:
        return replace(outcome, scope="channel")
    return replace(outcome, scope="recipient") if is_address_blamed else outcome


def judge(
    hops: Sequence[Hop], *, answers: Answers, now: float, code: str = "", handle: str = ""
) -> Outcome:
    """Return what the last hop means.

    `code` is the provider's error code found in it, `now` the epoch second that a Retry-After
    date is measured from.
    """
    if not hops:
        return Rejected(reason="no request could be made of the message and the settings")
    hop = hops[-1]
    if hop.error is not None:
        return conclude(_read_error(hop.error, hop.request), reason=hop.error.reason)
    status = hop.status or 0
    return conclude(
        _read(hop, status, answers, code),
        status=status,
        reason=_phrase(hop, status, code),
        after=read_retry_after(hop.headers.get("retry-after", ""), now),
        handle=handle,
    )


def _read_error(error: TransportError, request: Request) -> Reading:
    """Return what it means that no answer came; a recipient's own server stops nobody else."""
    if isinstance(error, TargetError):
        return "rejected"
    if isinstance(error, UntrustedServerError) and not request.guarded:
        return "suspend"
    return "unknown" if error.sent else "retry"


def look_up(answers: Answers, status: int | None, code: str) -> Reading | None:
    """Return the reading that a provider's table has for an answer, None where it has none."""
    if code in answers:
        return answers[code]
    return None if status is None else answers.get(status)


def _read(hop: Hop, status: int, answers: Answers, code: str) -> Reading:
    if hop.request.method == "SMTP" and _is_about_sender(hop):
        return _read_mail(hop, status)
    is_mail = hop.request.method == "SMTP"
    general = _read_mail(hop, status) if is_mail else _read_http(status)
    match look_up(answers, status, code):
        case "suspend" if _names(hop, "to") and not _names(hop, "from"):
            return "refused"
        case "gone" if _names(hop, "from") and not _names(hop, "to"):
            return "suspend"
        case "gone" if is_mail and general == "retry":
            return "retry"  # the code may say 5.1.1; the server says that it may be otherwise later
        case None:
            pass
        case known:
            return known
    return "rejected" if code and general == "delivered" else general


def _read_http(status: int) -> Reading:
    """Return what a status means in general (RFC 9110)."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return "delivered"
    if status in _PASSING or status >= 500:  # noqa: PLR2004 - the same
        return "retry"
    if status in _REFUSED:
        return "refused"
    return "suspend" if status == _PROXY_REFUSED else "rejected"


def _read_mail(hop: Hop, code: int) -> Reading:
    """Return what a reply means in general (RFC 5321): who was refused, and for how long."""
    if 200 <= code < 300:  # noqa: PLR2004 - SMTP's own numbers
        return "delivered"
    if 400 <= code < 500:  # noqa: PLR2004 - the same
        return "retry"
    return "suspend" if _is_about_sender(hop) else "rejected"


def _is_about_sender(hop: Hop) -> bool:
    """Return whether a mail server refused before it heard of a recipient, or wants a login."""
    is_early = hop.headers.get("smtp-command") in _BEFORE_RECIPIENTS
    return is_early or hop.status in _LOGIN_REPLIES


def _names(hop: Hop, end: Literal["from", "to"]) -> bool:
    """Return whether a mail server's words name the address at an end of the mail.

    Amazon SES names the addresses that it has not verified, either end's:
    https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
    """
    if hop.request.method != "SMTP":
        return False
    words = hop.body.decode("utf-8", "replace").lower()
    addresses = hop.request.headers.get(end, "").lower().split(", ")
    return any(address and address in words for address in addresses)


def _phrase(hop: Hop, status: int, code: str) -> str:
    """Return a status in words that hold nothing of the message."""
    if hop.request.method == "SMTP":
        return _phrase_mail(hop, status, code)
    words = f"{status} {_name(status)}".rstrip()
    return f"{words} ({code})" if code else words


def _phrase_mail(hop: Hop, status: int, code: str) -> str:
    """Return a mail server's refusal with its own words, in which no address is left.

    They are what an operator has to go by: one code stands for many reasons.
    """
    words = hop.body.decode("utf-8", "replace")
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    words = re.sub(r"<[^>]*>|\S*@\S*", "…", words)
    for address in hop.request.headers.get("to", "").split(", "):
        if local := address.rpartition("@")[0]:
            words = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "…", words, flags=re.IGNORECASE)
    if len(words) > _WORDS:
        words = words[: _WORDS - 1] + "…"
    refused = f"{status} to {hop.headers.get('smtp-command', 'data')}"
    shown = code if code and code.casefold() not in words.casefold() else ""
    return f"{refused}{shown and f' ({shown})'}{words and f': {words}'}"


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return ""


def read_enhanced_code(hop: Hop) -> str:
    """Return the enhanced status code (RFC 3463) of a mail server's refusal, as `5.1.1`."""
    if hop.request.method != "SMTP" or (hop.status or 0) < 400:  # noqa: PLR2004 - SMTP's own number
        return ""
    found = _ENHANCED.match(hop.body)
    return found.group(1).decode() if found else ""


def read_retry_after(text: str, now: float) -> float | None:
    """Return a Retry-After header, in seconds or as a date, as seconds from now.

    The number is as it came: `asked_wait` says which numbers are times.
    """
    text = text.strip()
    try:
        return count_seconds(float(text), now) if _NUMBER.fullmatch(text) else _until(text, now)
    except (ValueError, OverflowError):
        return None


def count_seconds(number: float, now: float) -> float:
    """Return the seconds from now that a provider names, be it as a point in time.

    Services write epoch seconds, or milliseconds, where seconds are documented, and the reverse.
    """
    if number >= _FIRST_EPOCH_MS:
        number /= 1000
    return number - now if number >= _FIRST_EPOCH_S else number


def _until(date: str, now: float) -> float:
    """Return the seconds until an HTTP date; one without a zone is in UTC (RFC 9110, 5.6.7)."""
    return read_utc(parsedate_to_datetime(date)).timestamp() - now


def read_utc(at: datetime) -> datetime:
    """Return a time with its zone, UTC where it has none."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
