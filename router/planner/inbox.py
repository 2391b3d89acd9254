"""What was just accepted and waits in memory to be planned."""

from collections import deque
from collections.abc import Collection

from router.core.model.notification import Notification

MAX_IN_MEMORY = 2000
"""How many accepted notifications wait in memory; more are read back from the journal."""


class Inbox:
    """Notifications in the order of their acceptance, but for calls that ring: they go first.

    `is_behind` says that the journal holds some that are not here; until it has been read to
    its end only calls are taken.
    """

    def __init__(self) -> None:
        """Hold nothing, and not know what the journal holds."""
        self._calls: deque[Notification] = deque()
        self._others: deque[Notification] = deque()
        self.is_behind = True
        self.arrivals = 0
        """How many were offered since `take` was called last."""

    @property
    def rings(self) -> bool:
        """Whether a call waits."""
        return bool(self._calls)

    def offer(self, notification: Notification, *, rings: bool) -> None:
        """Take a notification that was just accepted; what does not fit is read back later."""
        self.arrivals += 1
        waiting = self._calls if rings else self._others
        if len(self._calls) + len(self._others) >= MAX_IN_MEMORY:
            self.is_behind = True
        elif waiting is self._calls or not self.is_behind:
            waiting.append(notification)

    def take(self, most: int) -> list[Notification]:
        """Return what comes first, and forget it."""
        self.arrivals = 0
        waiting = self._calls or self._others
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def drop(self, ids: Collection[str]) -> None:
        """Forget those that came from the journal, too."""
        self._calls = deque(call for call in self._calls if call.id not in ids)
        self._others = deque(
            notification for notification in self._others if notification.id not in ids
        )

    def fall_behind(self) -> None:
        """Forget all but calls: the journal holds older ones."""
        self.is_behind = True
        self._others.clear()

    def clear(self) -> None:
        """Forget everything: it is all in the journal."""
        self.fall_behind()
        self._calls.clear()
