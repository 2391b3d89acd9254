"""Texts of included files, which come from outside, and what became of each."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from router.core.errors import Problem


class IncludeSource(Struct, frozen=True, kw_only=True):
    """A file that an `include` names; one with a `fault` is refused for that."""

    file: str
    text: str = ""
    fault: Problem | None = None


Sources = Callable[[str], Sequence[IncludeSource]]
"""Gives the files that a pattern matches, sorted; never the one that includes them."""

Standing = Literal["current", "last good", "left out"]
"""What holds of an included file: what it says, what it said last, or nothing of it."""


class Included(Struct, frozen=True, kw_only=True):
    """An included file: whose it is, what holds of it, and the text in force.

    `secrets` are those written out in the text, and `hidden` is the text without them. Of one
    that is left out there is no text, nor an owner.
    """

    file: str
    standing: Standing
    owner: str = ""
    text: str = ""
    hidden: str = ""
    secrets: tuple[str, ...] = ()


def no_sources(pattern: str) -> Sequence[IncludeSource]:  # noqa: ARG001 - the signature of `Sources`
    """Find nothing: there are no files but the one."""
    return ()
