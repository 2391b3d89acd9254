"""Who works on an SQLite file: a lock that lasts as long as the process does, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from router.store.db.url import is_sqlite, parse


class Presence:
    """This router's presence at a database; `alone` says whether no other is there.

    While it is alone, nobody else can come in until `admit` is called.
    """

    def __init__(self, handle: int | None) -> None:
        """Stand for an open lock file; without one nothing is known of others."""
        self._handle = handle
        self.alone = handle is not None and _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def admit(self) -> None:
        """Let others in, and wait until who is alone at this moment does the same."""
        if self._handle is not None:
            _lock(self._handle, fcntl.LOCK_SH)


@contextmanager
def announce_presence(url: str) -> Iterator[Presence]:
    """Be present at a database for a while.

    Of an SQLite file, the lock is a file beside it that ends in `.lock`. Where there can be none,
    and at any other database, nobody is ever alone.
    """
    parsed = parse(url)
    handle = _open(Path(f"{parsed.database}.lock")) if is_sqlite(parsed) else None
    try:
        yield Presence(handle)
    finally:
        if handle is not None:
            os.close(handle)


def _open(path: Path) -> int | None:
    with suppress(OSError):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return None


def _lock(handle: int, kind: int) -> bool:
    """Return whether the lock was got; a file system without locks gives none."""
    with suppress(OSError):
        fcntl.flock(handle, kind)
        return True
    return False
