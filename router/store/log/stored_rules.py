"""Rules as a database keeps them; whoever only reads files need not load a database for it."""

from msgspec import Struct


class StoredFile(Struct, frozen=True, kw_only=True):
    """An included file; `version` is the hash of its text before secrets were hidden in it."""

    file: str
    text: str
    version: str


class StoredRules(Struct, frozen=True, kw_only=True):
    """Rules that loaded without an error: main text and included ones; `version` is their hash."""

    version: str
    text: str
    file: str
    included: tuple[StoredFile, ...] = ()
    loaded_at: float
