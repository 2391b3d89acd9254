"""A copy of an SQLite database while a router works on it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

PAGES_PER_STEP = 2000
"""How many pages are copied between two reports of progress."""

ReportCopiedPages = Callable[[int, int], None]
"""Told how many pages of how many are copied."""


class BackupFailed(Exception):  # noqa: N818 - it names what became of the copy
    """There is no copy; the message says why, and what to do."""


def back_up(
    database: Path, target: Path, progress: ReportCopiedPages = lambda _done, _all: None
) -> int:
    """Copy a database as it is at one moment, prove the copy sound, and return its bytes.

    Nobody who writes to it waits. The copy is its owner's alone and appears in one piece.
    Raises `BackupFailed`; an existing file is never written over.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        _create_private_file(target)
    except FileExistsError:
        raise BackupFailed(f"{target} is there already; name another file") from None
    except OSError as error:
        raise BackupFailed(f"{target} cannot be created: {error.strerror}") from None
    try:
        _create_private_file(partial)
        _copy(database, partial, progress)
        _check_integrity(partial)
        size = partial.stat().st_size
        partial.replace(target)
        _sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        _drop(target, partial)
        raise BackupFailed(f"{database} cannot be copied to {target}: {error}") from error
    except BaseException:
        _drop(target, partial)
        raise
    return size


def _create_private_file(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _drop(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _copy(database: Path, target: Path, progress: ReportCopiedPages) -> None:
    """Copy all pages within one reading transaction, which later writes do not disturb."""
    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(target)) as copy:
        source.isolation_level = None
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(
            copy,
            pages=PAGES_PER_STEP,
            progress=lambda _status, left, total: progress(total - left, total),
        )
        copy.execute("PRAGMA journal_mode=DELETE")  # else a log beside it would be part of it
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def _check_integrity(copy: Path) -> None:
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        faults = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if faults != ["ok"]:
        raise sqlite3.DatabaseError(f"the copy is not sound: {faults[0]}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
