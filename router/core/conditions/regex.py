"""Regular expressions whose time is linear in the text: one alone, and many at once."""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import re2

MAX_MEMORY_BYTES = 8 << 20
"""Bytes that the automaton of one pattern, or of one set, may take; RE2's own default."""

_WILD = re.compile(r"([*?])")


class Pattern(Protocol):
    """What we use of a compiled regular expression, whose time is linear in the text."""

    def search(self, text: str) -> object:
        """Return something true if a part of the text matches."""

    def fullmatch(self, text: str) -> object:
        """Return something true if the whole text matches."""


def compile_pattern(pattern: str) -> Pattern:
    """Return a compiled pattern; raise `re2.error` for what is no regular expression."""
    return cast(Pattern, re2.compile(pattern, _options(MAX_MEMORY_BYTES)))


def quote(text: str) -> str:
    """Return the pattern of a text that stands for itself."""
    return cast(str, re2.escape(text))


def translate(glob: str) -> str:
    """Return the pattern of a glob: `*` is any run, `?` any one character."""
    wild = {"*": ".*", "?": "."}
    return "(?s)" + "".join(wild.get(part) or quote(part) for part in _WILD.split(glob))


class PatternSet:
    """Patterns sought in a text all at once, in about the time of one."""

    def __init__(self, patterns: Iterable[str], memory: int = MAX_MEMORY_BYTES) -> None:
        """Compile them; `memory` bounds the automaton, and too little of it finds nothing out."""
        self._set = re2.Set.SearchSet(_options(memory))
        # RE2 answers "none" where its memory does not suffice. This one matches every text, so
        # an answer without it is none.
        self._sure = self._set.Add(r"\A")
        for pattern in patterns:
            self._set.Add(pattern)
        try:
            self._set.Compile()
        except re2.error:
            self._set = None

    def find(self, text: str) -> Sequence[int] | None:
        """Return the numbers, from 1, of the patterns that match a part of the text.

        Zero is always among them. None where the memory did not suffice to tell.
        """
        if self._set is None:
            return None
        matches = self._set.Match(text)
        return matches if matches and self._sure in matches else None


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = memory
    return options
