"""What the hops of a send mean, by the provider's own table and else by its protocol."""

import math
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, assert_never

from router.bridge.hop import Hop
from router.channel import TargetError, TransportError
from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown

Reading = Literal["delivered", "retry", "rejected", "gone", "unknown", "suspend"]
"""How an answer is to be read; `gone` is `rejected`, and the address is dead for every message."""

Answers = Mapping[int | str, Reading]
"""A provider's statuses and error codes with what they mean; a code goes before a status."""

LONGEST = 86400.0
"""Seconds beyond which nobody's Retry-After is believed."""

_PASSING = frozenset({408, 425, 429})
_LOCKED = frozenset({401, 403, 407})
_ENHANCED = re.compile(rb"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")


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
        case "retry":
            return Retry(status=status, reason=reason, after=after)
        case "rejected":
            return Rejected(status=status, reason=reason)
        case "gone":
            return Rejected(status=status, reason=reason, forget_contact=True)
        case "unknown":
            return Unknown(status=status, reason=reason)
        case "suspend":
            return Suspend(status=status, reason=reason, after=after)
        case _ as never:  # pragma: no cover - the type checker proves it empty
            assert_never(never)


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
        return conclude(_read_error(hop.error), reason=hop.error.reason)
    status = hop.status or 0
    return conclude(
        _read(hop, status, answers, code),
        status=status,
        reason=_phrase(hop, status, code),
        after=read_retry_after(hop.headers.get("retry-after", ""), now),
        handle=handle,
    )


def _read_error(error: TransportError) -> Reading:
    """Return what it means that no answer came."""
    if isinstance(error, TargetError):
        return "rejected"
    return "unknown" if error.sent else "retry"


def _read(hop: Hop, status: int, answers: Answers, code: str) -> Reading:
    if code in answers:
        return answers[code]
    if status in answers:
        return answers[status]
    general = _read_mail(hop, status) if hop.request.method == "SMTP" else _read_http(status)
    return "rejected" if code and general == "delivered" else general


def _read_http(status: int) -> Reading:
    """Return what a status means in general (RFC 9110)."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return "delivered"
    if status in _PASSING or status >= 500:  # noqa: PLR2004 - the same
        return "retry"
    return "suspend" if status in _LOCKED else "rejected"


def _read_mail(hop: Hop, code: int) -> Reading:
    """Return what a reply means in general (RFC 5321): who was refused, and for how long."""
    if 200 <= code < 300:  # noqa: PLR2004 - SMTP's own numbers
        return "delivered"
    if 400 <= code < 500:  # noqa: PLR2004 - the same
        return "retry"
    about_us = hop.headers.get("smtp-command") in {"connect", "auth", "mail"}
    return "suspend" if about_us else "rejected"


def _phrase(hop: Hop, status: int, code: str) -> str:
    """Return a status in words that hold nothing of the message."""
    if hop.request.method == "SMTP":
        words = f"{status} to {hop.headers.get('smtp-command', 'data')}"
    else:
        words = f"{status} {_name(status)}".rstrip()
    return f"{words} ({code})" if code else words


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
    """Return a Retry-After header, in seconds or as a date, as seconds from now."""
    text = text.strip()
    try:
        seconds = float(text) if re.fullmatch(r"[0-9.]+", text) else _until(text, now)
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST) if math.isfinite(seconds) else None


def _until(date: str, now: float) -> float:
    return parsedate_to_datetime(date).timestamp() - now
