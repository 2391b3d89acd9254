"""The rules texts that were once in force, so that a broken file on disk stops nothing."""

from msgspec import Struct

from router.store.database import Database


class StoredRules(Struct, frozen=True, kw_only=True):
    """A rules text that loaded without an error; `version` is its hash."""

    version: str
    text: str
    file: str
    loaded_at: float


class Rulesets:
    """The rules texts kept in a database."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    async def keep(self, rules: StoredRules) -> None:
        """Keep a good text; the one kept last is the one to fall back to."""
        raise NotImplementedError

    async def last(self) -> StoredRules | None:
        """Return the text kept last; None when none ever was."""
        raise NotImplementedError

    async def get(self, version: str) -> StoredRules | None:
        """Return the text with this hash; None when it is not kept."""
        raise NotImplementedError
