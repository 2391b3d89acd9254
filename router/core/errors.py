"""What can be wrong with a file or a payload, and where."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class Place(Struct, frozen=True):
    """A position in a text file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"


class Problem(Struct, frozen=True, kw_only=True):
    """One thing wrong with a file: where, how bad, what, and what to do about it."""

    file: str
    line: int
    column: int
    severity: Severity = "error"
    message: str
    hint: str = ""
    length: int = 1
    """How many characters the faulty text spans, for the caret line."""

    def __str__(self) -> str:
        """Return `file:line:column: severity: message; hint`."""
        tail = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}{tail}"


class PayloadError(ValueError):
    """A body that is no custom-provider payload: `path` is a JSON path, `reason` says why."""

    def __init__(self, path: str, reason: str) -> None:
        """Keep the path and the reason apart, for the answer's `problems`."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class AddressError(ValueError):
    """An address that cannot be sent to; the message says why, and quotes nothing."""


class SettingsFault(Struct, frozen=True):
    """One thing wrong with a channel's settings.

    `path` leads to it, key by key (`("account", "key")`, list indexes as digits); for a
    missing setting it ends in the missing key. `at` says whether the key or its value is wrong.
    """

    path: tuple[str, ...]
    message: str
    hint: str = ""
    at: Literal["key", "value"] = "value"


class SettingsError(ValueError):
    """Settings a plugin does not take; every fault at once, none of them quoting a secret."""

    def __init__(self, faults: Sequence[SettingsFault]) -> None:
        """Keep the faults apart, so that each gets its place in the file."""
        super().__init__("; ".join(f"{'.'.join(f.path)}: {f.message}" for f in faults))
        self.faults = tuple(faults)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the known word most like the given one, or None when nothing is close."""
    candidates = {k.lower(): k for k in words}
    matches = get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[matches[0]] if matches else None


def suggest(word: str, words: Iterable[str]) -> str:
    """Return `did you mean "…"?` for the nearest known word, or an empty text."""
    near = nearest(word, words)
    return f'did you mean "{near}"?' if near is not None else ""
