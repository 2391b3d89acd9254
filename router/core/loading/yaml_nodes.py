"""The nodes of a YAML text: values that know their place."""

import re

from msgspec import Struct

from router.core.errors import Place

Value = None | bool | int | float | str
"""What YAML reads a single value as."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_BASED = re.compile(r"0o[0-7]{1,99}|0x[0-9a-fA-F]{1,99}")
_REAL = re.compile(
    r"[-+]?(?:\.[0-9]{1,99}|(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{0,99})?)(?:[eE][-+]?[0-9]{1,2})?"
)


class ScalarNode(Struct, frozen=True):
    """A single value: `text` as written, `value` as YAML reads it; `length` in characters.

    `inside` is where the text itself starts, None where its characters do not stand in one
    piece (escapes, several lines). `lines` is how many lines it spans.
    """

    place: Place
    length: int
    text: str
    value: Value
    inside: Place | None = None
    lines: int = 1


class SequenceNode(Struct, frozen=True):
    """A list; its place is that of its first character."""

    place: Place
    items: tuple["Node", ...]
    length: int = 1


class MappingNode(Struct, frozen=True):
    """A mapping; its place is that of its first character."""

    place: Place
    entries: dict[str, "MappingEntry"]
    length: int = 1


Node = ScalarNode | SequenceNode | MappingNode


class MappingEntry(Struct, frozen=True):
    """A key of a mapping and what it stands for."""

    key: ScalarNode
    value: Node


def resolve_scalar(text: str) -> Value:
    """Return what a bare text means: nothing, a truth value, a number, or itself."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if text[0] not in "+-.0123456789":
        return text
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _REAL.fullmatch(text) else text
