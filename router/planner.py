"""Planning: what was accepted, decided by the rules, becomes deliveries."""

import time
from collections.abc import Callable
from typing import Protocol

from router.core.delivery import Delivery
from router.core.facts import Contact
from router.core.notification import Notification
from router.core.ruleset import Ruleset
from router.queue.ports import Journal
from router.store.world import World


class Handover(Protocol):
    """The worker as the planner sees it."""

    def room(self, channel: str) -> bool:
        """Return whether a delivery of the channel can be taken now, overtaking none on disk."""

    def take(self, delivery: Delivery, notification: Notification, contact: Contact | None) -> None:
        """Send a delivery that is already leased to this process."""

    def wake(self) -> None:
        """Look for due deliveries: some were just written."""


class Planner:
    """Decides what was accepted, in batches and in order; `run` is its task.

    With no ruleset it holds. A notification that cannot be decided three times is
    `undecidable`, and the planner goes on.
    """

    def __init__(
        self,
        journal: Journal,
        world: World,
        rules: Callable[[], Ruleset | None],
        worker: Handover,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Plan what a journal holds by the rules in force, and hand over what is due."""

    def offer(self, notification: Notification) -> None:
        """Take a notification that was just accepted; never blocks (what does not fit in
        memory is read back from the journal)."""

    def wake(self) -> None:
        """Look again: the rules changed, or something was put back."""

    async def run(self) -> None:
        """Plan until cancelled, starting with what a crash left unplanned."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Return when nothing offered is left to plan (for graceful stops and demonstrations)."""
        raise NotImplementedError
