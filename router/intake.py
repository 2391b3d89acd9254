"""Accepting a payload: decode it, name it, put it on disk."""

import random
import time
from collections.abc import Callable

from router.core.notification import Notification
from router.queue.ports import Journal, Receipt


class Intake:
    """The way in: what it has answered with a receipt is on disk."""

    def __init__(
        self,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
        accepted: Callable[[Notification], None] = lambda _: None,
    ) -> None:
        """Accept into a journal, and tell `accepted` of each new notification."""

    async def accept(self, body: bytes) -> Receipt:
        """Return the receipt of a payload once it is durable; of a repeat, the first one's id.

        Raises `PayloadError` for a body that is no payload, `JournalUnavailable` when it could
        not be made durable in time.
        """
        raise NotImplementedError
