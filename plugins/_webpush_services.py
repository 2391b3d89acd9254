"""Push services that differ from RFC 8030: the headers they want, and the answers they give.

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

from router.bridge import Hop

DROPPED = "dropped"
THROTTLED = "channelthrottled"
"""Words of Windows, beside a 200 as well: it did not pass the message on."""

CONSTRAINED_RECORD = 3070
"""Bytes that Mozilla takes for a browser on Android."""

SMALLEST_RECORD = 1024
"""Bytes below which a limit that a push service names is not believed."""

_WINDOWS = ".notify.windows.com"
_LIMIT = re.compile(rb"\blimit(?:ed to| is|:)? (\d{4,5}) bytes")
_REASON = re.compile(r"[A-Z][A-Za-z]{2,40}")
_WORDS = re.compile(r"[A-Za-z][A-Za-z .,'-]{2,100}")
_NUMBERS = 1000


def add_headers(origin: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a push service wants beside those of RFC 8030.

    Windows keeps a message unless it is told otherwise, and refuses a TTL that says otherwise.
    """
    if not (urlsplit(origin).hostname or "").endswith(_WINDOWS):
        return {}
    return {"x-wns-cache-policy": "no-cache" if headers["ttl"] == "0" else "cache"}


def find_limit(hop: Hop) -> int | None:
    """Return the bytes of a body that a push service takes, where it refused one as too large."""
    if hop.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return None
    found = _LIMIT.search(hop.body)
    limit = int(found[1]) if found else CONSTRAINED_RECORD
    return limit if SMALLEST_RECORD <= limit < len(hop.request.body) else None


def read_code(hop: Hop) -> str:
    """Return the word, or the number, by which a push service says why it refused a message."""
    status = hop.headers.get("x-wns-notificationstatus", hop.headers.get("x-wns-status", ""))
    if (hop.status or 0) < HTTPStatus.BAD_REQUEST:
        return status.lower() if status.lower() in {DROPPED, THROTTLED} else ""
    reason, number = hop.field("reason"), hop.field("errno")
    if isinstance(reason, str) and _REASON.fullmatch(reason):
        return reason
    if isinstance(number, int) and 0 < number < _NUMBERS:
        return f"errno {number:d}"
    words = hop.headers.get("x-wns-error-description", "")
    return words.rstrip(".") if _WORDS.fullmatch(words) else ""
