"""The two ports on the tables of the database."""

from router.store.database import Database


class SqlJournal:
    """The journal of accepted notifications, on the tables."""

    def __init__(self, database: Database) -> None:
        """Use a database."""


class SqlQueue:
    """The queue of deliveries, on the tables."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
