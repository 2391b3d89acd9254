"""What PostgreSQL is told of how much there is, so that it finds its way by the indexes.

Of a table that grew since it was last counted it takes every column for one of 200 values, and so
reads all of an app's devices to find those of 200 people. Its own counting comes a minute late.
"""

from sqlalchemy import Connection

from router.store.db.locks import is_shared

FIRST_ANALYZE_AFTER = 1000
"""After so many changes it is told for the first time; then whenever they have doubled."""


class AnalyzeSchedule:
    """Counts changes of the registry, and says when PostgreSQL is to look at it again."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self._changes = 0
        self._next = FIRST_ANALYZE_AFTER

    def count(self, changes: int) -> bool:
        """Add changes; return whether it is time to look again."""
        self._changes += changes
        if self._changes < self._next:
            return False
        self._next = 2 * self._changes
        return True


def analyze(connection: Connection) -> None:
    """Let PostgreSQL look at people and addresses; SQLite needs no such thing."""
    if is_shared(connection):
        connection.exec_driver_sql("ANALYZE recipients, contacts")
