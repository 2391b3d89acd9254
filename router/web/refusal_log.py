"""Lines of the log about refused requests: enough to find the cause, and no flood of them."""

import time
from collections.abc import Callable

import structlog
from msgspec import Struct

INTERVAL_S = 10.0
"""Seconds between two lines about the same refusal of the same peer."""

MAX_PEERS = 64
"""The most peers, each with a status and a reason, that are told apart at a time."""

OTHERS = "others"
"""Stands for every further peer."""

_ROUTES = frozenset({"webhook", "v1", "health", "metrics", "docs"})

_log = structlog.get_logger(__name__)


class _RefusalWindow(Struct):
    """The time after a line in which the same refusals are counted."""

    ends_at: float
    left_out: int = 0


_Key = tuple[str, str, int, str]


class RefusalLog:
    """Logs a refusal at once, and its repeats as a number with the next line."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Log by a clock of seconds that never goes back."""
        self._clock = clock
        self._windows: dict[_Key, _RefusalWindow] = {}  # in the order in which they end

    def note(self, path: str, peer: str, status: int, reason: str, detail: str) -> None:
        """Log a refusal, or count it to the next line about the same one.

        `path` is the one that was asked for, of which the log names the route; `reason` and
        `detail` are words of the router, never of the request.
        """
        now = self._clock()
        status = int(status)  # an `HTTPStatus` shows its name in a line for people
        route = _name_route(path)
        key = (route, peer, status, reason)
        left_out = 0
        window = self._windows.get(key)
        if window is not None and now >= window.ends_at:
            left_out = self._windows.pop(key).left_out
        self._forget(now)
        if key not in self._windows and len(self._windows) >= MAX_PEERS:
            key = (route, OTHERS, status, reason)
        if key in self._windows:
            self._windows[key].left_out += 1
            return
        self._windows[key] = _RefusalWindow(now + INTERVAL_S)
        _write(key, detail=detail, left_out=left_out)

    def _forget(self, now: float) -> None:
        """Forget windows that are over; say how many refusals they left out."""
        while self._windows:
            key = next(iter(self._windows))
            window = self._windows[key]
            if now < window.ends_at:
                return
            del self._windows[key]
            if window.left_out:
                _write(key, detail="", left_out=window.left_out)


def _write(key: _Key, *, detail: str, left_out: int) -> None:
    route, peer, status, reason = key
    _log.warning(
        "request refused",
        route=route,
        status=status,
        reason=reason,
        detail=detail,
        peer=peer,
        left_out=left_out,
    )


def _name_route(path: str) -> str:
    """Return the beginning of a path if it is a route's: the rest may be anything."""
    first = path.split("/", 2)[1:2]
    return f"/{first[0]}" if first and first[0] in _ROUTES else "unknown"


def name_peer(client: tuple[str, int] | None) -> str:
    """Return the address of the other end of a connection; behind a proxy it is the proxy's."""
    return client[0] if client else "unknown"
