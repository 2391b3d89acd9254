"""The file of an SQLite database: how its connections behave, and that it stays the same one."""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

BUSY_TIMEOUT_S = 5.0
"""Seconds a statement waits for another process that writes."""

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
    "secure_delete=ON",
)


class DatabaseFile:
    """Refuses connections to work on a file that is not at its path any more.

    What is written to a file that was deleted or moved is gone with the next start, and SQLite
    itself does not notice: in WAL mode it compares nothing. Once the file is back in its place,
    work goes on. Nothing else is opened in its stead: beside it lies the log of the old one.
    """

    def __init__(self, path: Path) -> None:
        """Take the file that is there for the right one; raises `OSError` when there is none."""
        self._path = path
        self._inode = os.stat(path).st_ino  # noqa: PTH116 - asked before every transaction

    def guard(self, engine: Engine) -> None:
        """Let an engine's connections be opened, lent and begun on only while it is there."""
        for when in ("do_connect", "checkout", "begin"):
            event.listen(engine, when, self._check)

    def _check(self, *_: object) -> None:
        try:
            inode = os.stat(self._path).st_ino  # noqa: PTH116 - as above
        except OSError as error:
            raise OSError(f"the file {self._path} is gone ({error.strerror}); {_REMEDY}") from None
        if inode != self._inode:
            raise OSError(f"{self._path} is not the file that was opened; {_REMEDY}")


_REMEDY = "put it back, or restart the router"


def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - whatever the driver has
    """Let a new connection write ahead, durably, and wait for its turn."""
    connection.isolation_level = None  # the driver shall begin nothing by itself
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()  # it is in no pool yet, so nobody else would
        raise
    cursor.close()


def empty_log(connection: Connection) -> bool:
    """Move SQLite's log of writes into the file and cut it; deleted rows can be read in it.

    Return False where a reader or a writer was in the way. Who writes waits for a tenth of a
    second at most.
    """
    connection.exec_driver_sql("PRAGMA busy_timeout=100")
    try:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}")
    return not busy
