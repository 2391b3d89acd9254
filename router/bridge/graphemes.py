"""Truncate texts between grapheme clusters, never inside one."""

import unicodedata
from collections.abc import Callable, Iterator

ELLIPSIS = "…"
_ZERO_WIDTH_JOINER = "\u200d"
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAG_CHARACTERS = range(0xE0020, 0xE0080)


def truncate(
    text: str, most: int, *, measure: Callable[[str], int] = len, mark: str = ELLIPSIS
) -> str:
    """Return a text whose measure is at most `most`, with `mark` at the end of a truncated one.

    `measure` counts characters by default. Accents, emoji sequences, flags and line ends stay
    whole.
    """
    if measure(text) <= most:
        return text
    mark = mark if measure(mark) <= most else ""
    room = most - measure(mark)
    clusters: list[str] = []
    for cluster in split_graphemes(text):
        room -= measure(cluster)
        if room < 0:
            break
        clusters.append(cluster)
    return "".join(clusters).rstrip() + mark


def split_graphemes(text: str) -> Iterator[str]:
    """Yield the grapheme clusters of a text (a simplified Unicode Annex 29)."""
    start, flags = 0, 0
    for index in range(1, len(text)):
        previous, char = text[index - 1], text[index]
        flags = flags + 1 if ord(previous) in _REGIONAL_INDICATORS else 0
        if _joins(previous, char, is_half_flag=flags % 2 == 1):
            continue
        yield text[start:index]
        start = index
    if text:
        yield text[start:]


def _joins(previous: str, char: str, *, is_half_flag: bool) -> bool:
    """Return whether a character belongs to the cluster of the one before it.

    A flag is two regional indicators: `is_half_flag` says that an odd number of them precedes.
    """
    if previous in "\r\n":
        return previous == "\r" and char == "\n"
    if _ZERO_WIDTH_JOINER in {previous, char}:
        return True
    code = ord(char)
    if code in _REGIONAL_INDICATORS:
        return is_half_flag
    return (
        code in _SKIN_TONES
        or code in _TAG_CHARACTERS
        or unicodedata.category(char) in {"Mn", "Me", "Mc"}
    )
