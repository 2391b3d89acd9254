"""Cut texts without breaking what a reader sees as one character."""

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
    """Return a text that measures at most so much, with a mark where it was cut.

    `measure` counts characters unless told otherwise. Accents, emoji sequences, flags and line
    ends stay whole.
    """
    if measure(text) <= most:
        return text
    mark = mark if measure(mark) <= most else ""
    room = most - measure(mark)
    kept: list[str] = []
    for cluster in split_graphemes(text):
        room -= measure(cluster)
        if room < 0:
            break
        kept.append(cluster)
    return "".join(kept).rstrip() + mark


def split_graphemes(text: str) -> Iterator[str]:
    """Yield what a reader sees as characters (a plain reading of Unicode Annex 29)."""
    start, flags = 0, 0
    for at in range(1, len(text)):
        before, here = text[at - 1], text[at]
        flags = flags + 1 if ord(before) in _REGIONAL_INDICATORS else 0
        if _joins(before, here, odd_flag=flags % 2 == 1):
            continue
        yield text[start:at]
        start = at
    if text:
        yield text[start:]


def _joins(before: str, here: str, *, odd_flag: bool) -> bool:
    if before in "\r\n":
        return before == "\r" and here == "\n"
    if _ZERO_WIDTH_JOINER in {before, here}:
        return True
    code = ord(here)
    if code in _REGIONAL_INDICATORS:
        return odd_flag
    return (
        code in _SKIN_TONES
        or code in _TAG_CHARACTERS
        or unicodedata.category(here) in {"Mn", "Me", "Mc"}
    )
