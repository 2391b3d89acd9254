"""The facts a batch of decisions needs, read in bulk."""

from collections.abc import Sequence

from router.core.facts import Facts
from router.core.notification import Notification
from router.store.database import Database


class World:
    """Reads `Facts` from a database."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    async def facts(self, notifications: Sequence[Notification], *, once: bool = True) -> Facts:
        """Return what is known of the recipients of these, and (with `once`) their once-keys."""
        raise NotImplementedError
