"""Dead letters: what reached no provider and waits for a person."""

import time
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct, field

from router.store.database import Database
from router.store.page import LIMIT, Page

DeadState = Literal["dead", "expired", "undecidable"]

Progress = Callable[[int], None]
"""Told after each chunk how many are done so far."""


class DeadLetterFilter(Struct, frozen=True, kw_only=True):
    """Which dead letters to take; None lets all pass. Times are epoch seconds of acceptance."""

    state: DeadState | None = None
    channel: str | None = None
    rule: str | None = None
    reason: str | None = None
    recipient: str | None = None
    app_id: str | None = field(default=None, name="appId")
    since: float | None = None
    until: float | None = None


ALL = DeadLetterFilter()


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A dead delivery, or a notification that could not be decided.

    `id` is the delivery's, or the notification's own when `state` is `undecidable`; rule,
    channel and address (masked) are empty then. Times are epoch seconds.
    """

    id: str
    notification: str
    state: DeadState
    reason: str
    rule: str
    channel: str
    address: str
    attempts: int
    recipient: str
    app_id: str = field(name="appId")
    accepted_at: float


class DeadLetters:
    """The dead letters of a database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._clock = clock

    async def list(
        self,
        filter: DeadLetterFilter = ALL,  # noqa: A002 - what it is
        limit: int = LIMIT,
        cursor: str | None = None,
    ) -> Page[DeadLetter]:
        """Return a page of dead letters, newest first; raises `CursorInvalid`."""
        raise NotImplementedError

    async def count(self, filter: DeadLetterFilter = ALL) -> int:  # noqa: A002
        """Return how many there are."""
        raise NotImplementedError

    async def get(self, id: str) -> DeadLetter | None:
        """Return one dead letter; None when there is none by that id."""
        raise NotImplementedError

    async def retry(
        self, which: Sequence[str] | DeadLetterFilter, progress: Progress | None = None
    ) -> int:
        """Make them due now, and return how many those were.

        A delivery keeps its id and attempts and lives as long again as it did at first; a
        notification that could not be decided is decided again.
        """
        raise NotImplementedError

    async def drop(
        self, which: Sequence[str] | DeadLetterFilter, progress: Progress | None = None
    ) -> int:
        """Close them for good as `dropped_by_operator`, and return how many those were."""
        raise NotImplementedError
