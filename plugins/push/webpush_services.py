"""Push services that differ from RFC 8030: their own headers, limits and error codes.

Windows: https://learn.microsoft.com/windows/apps/design/shell/tiles-and-notifications/push-request-response-headers
and, for the cache policy, https://github.com/web-push-libs/pywebpush/issues/162.
Mozilla: https://github.com/mozilla-services/autopush/issues/748 (a device that is reached through
another push service takes less), https://mozilla-push-service.readthedocs.io/en/latest/errors/.
Apple: https://developer.apple.com/documentation/usernotifications/sending-web-push-notifications-in-web-apps-and-browsers
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from router.bridge import Exchange

DROPPED = "dropped"
THROTTLED = "channelthrottled"
"""Values of a header of Windows, beside a 200 too: it did not pass the message on."""

MOZILLA_RECORD_BYTES = 3070
"""Largest body that Mozilla accepts for a browser on Android."""

MIN_RECORD_BYTES = 1024
"""Smallest limit of a push service that the router accepts as one."""

_WINDOWS_DOMAIN = ".notify.windows.com"
_LIMIT = re.compile(rb"\blimit(?:ed to| is|:)? (\d{4,5}) bytes")
_REASON = re.compile(r"[A-Z][A-Za-z]{2,40}")
_DESCRIPTION = re.compile(r"[A-Za-z][A-Za-z .,'-]{2,100}")
_MIN_ERRNO = 1000


def add_headers(origin: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a push service requires beside those of RFC 8030.

    Windows stores a message by default, and refuses a TTL that contradicts its own header.
    """
    if not (urlsplit(origin).hostname or "").endswith(_WINDOWS_DOMAIN):
        return {}
    return {"x-wns-cache-policy": "no-cache" if headers["ttl"] == "0" else "cache"}


def find_body_limit(exchange: Exchange) -> int | None:
    """Return the largest body that a push service accepts, where it refused a larger one."""
    if exchange.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return None
    match = _LIMIT.search(exchange.body)
    limit = int(match[1]) if match else MOZILLA_RECORD_BYTES
    return limit if MIN_RECORD_BYTES <= limit < len(exchange.request.body) else None


def read_refusal_code(exchange: Exchange) -> str:
    """Return the reason, or the number, that a push service gives for a refusal."""
    status = exchange.headers.get(
        "x-wns-notificationstatus", exchange.headers.get("x-wns-status", "")
    )
    if (exchange.status or 0) < HTTPStatus.BAD_REQUEST:
        return status.lower() if status.lower() in {DROPPED, THROTTLED} else ""
    reason, number = exchange.json_value("reason"), exchange.json_value("errno")
    if isinstance(reason, str) and _REASON.fullmatch(reason):
        return reason
    if isinstance(number, int) and 0 < number < _MIN_ERRNO:
        return f"errno {number:d}"
    description = exchange.headers.get("x-wns-error-description", "")
    return description.rstrip(".") if _DESCRIPTION.fullmatch(description) else ""
