"""Texts of regular files, read within bounds of size and time.

A path in a rules file can lead to a pipe without a writer, to a device without an end, or to a
network file system that does not answer. None of these may hold up what reads the other files.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

READ_TIMEOUT_S = 2.0
"""Longest time that one file, or one look at a folder, may take."""

T = TypeVar("T")

_pending: dict[str, Thread] = {}
"""Calls that did not end in time, by their subject: no second thread waits for the same."""


class UnreadableFileError(Exception):
    """A file has no text to give; the message says why, in words that follow "cannot be read:"."""


def read_text(
    path: Path, *, max_bytes: int, folder: str = "", timeout_s: float = READ_TIMEOUT_S
) -> str:
    """Return the text of a regular file of at most `max_bytes` bytes of UTF-8.

    With a `folder`, the file has to lie in it after all symbolic links are followed. A byte
    order mark at the start is left out. Raises `UnreadableFileError`.
    """

    def read() -> str | Exception:
        try:
            return _read(path, max_bytes, folder)
        except (OSError, ValueError, UnreadableFileError) as error:
            return error

    text = call_within(timeout_s, str(path), read)
    match text:
        case str():
            return text
        case None:
            raise UnreadableFileError(f"it gave no answer in {timeout_s:g} seconds")
        case UnicodeDecodeError():
            raise UnreadableFileError(f"not UTF-8 text: {text.reason}")
        case OSError():
            raise UnreadableFileError(text.strerror or type(text).__name__)
        case _:
            raise UnreadableFileError(str(text))


def call_within(timeout_s: float, subject: str, work: Callable[[], T]) -> T | None:
    """Return the result of `work`, None when it takes longer than `timeout_s` seconds.

    `work` runs in a thread of its own, which nothing can end: while one is still busy with the
    same `subject`, None is returned at once.
    """
    busy = _pending.get(subject)
    if busy is not None and busy.is_alive():
        return None
    answer: SimpleQueue[T] = SimpleQueue()
    thread = Thread(target=lambda: answer.put(work()), name="reading a file", daemon=True)
    thread.start()
    try:
        result = answer.get(timeout=timeout_s)
    except Empty:
        _pending[subject] = thread
        return None
    _pending.pop(subject, None)
    return result


def _read(path: Path, max_bytes: int, folder: str) -> str:
    real = os.path.realpath(path, strict=True)
    if folder and not Path(real).is_relative_to(os.path.realpath(folder)):
        raise UnreadableFileError(f"a symbolic link leads out of {folder}")
    # O_NONBLOCK: opening a pipe without a writer returns at once. O_NOFOLLOW: the path that was
    # checked is the one that is opened.
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableFileError("it is not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UnreadableFileError(f"it is larger than {max_bytes} bytes")
    return content.decode("utf-8-sig")
