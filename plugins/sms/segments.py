"""Segments of text messages: counting, truncating and splitting.

Alphabets and lengths: 3GPP TS 23.038,
https://www.twilio.com/docs/glossary/what-sms-character-limit
"""

from typing import Literal

from router.bridge import split_graphemes

Alphabet = Literal["gsm", "ucs2"]

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_PAIRS = frozenset("^{}\\[~]|€\f")
"""Characters that take two code units in the GSM alphabet."""

SINGLE_SEGMENT_UNITS = {"gsm": 160, "ucs2": 70}
JOINED_SEGMENT_UNITS = {"gsm": 153, "ucs2": 67}
"""Code units in a single segment, and in each of several segments that a phone joins."""

MAX_PARTS = 10


def fit_segments(text: str, segments: int) -> str:
    """Return a text truncated to a number of segments, with a mark where it was cut."""
    alphabet = detect_alphabet(text)
    mark = "..." if alphabet == "gsm" else "…"
    if count_segments(text, alphabet) <= segments:
        return text
    return _truncate_to_segments(text, segments, alphabet, mark).rstrip() + mark


def split_text(text: str, segments: int) -> list[str]:
    """Return a text in parts of at most `segments` segments, split between words where possible."""
    alphabet = detect_alphabet(text)
    parts: list[str] = []
    while count_segments(text, alphabet) > segments and len(parts) < MAX_PARTS - 1:
        part = _truncate_to_segments(text, segments, alphabet).rstrip()
        whole, space, _ = part.rpartition(" ")
        if space and len(whole) > len(part) // 2 and not text[len(part) :].startswith(" "):
            part = whole
        if not part:
            break
        parts.append(part)
        text = text[len(part) :].lstrip()
    return [*parts, fit_segments(text, segments)]


def count_segments(text: str, alphabet: Alphabet) -> int:
    """Return how many segments a text takes.

    No segment ends within an escaped character (3GPP TS 23.038, 6.2.1), a surrogate pair, or
    several code points that a reader sees as one character, which is how Twilio counts
    (https://github.com/TwilioDevEd/message-segment-calculator).
    """
    if count_code_units(text, alphabet) <= SINGLE_SEGMENT_UNITS[alphabet]:
        return 1
    counter = _SegmentCounter(alphabet)
    for cluster in split_graphemes(text):
        counter.add(cluster)
    return counter.segments


class _SegmentCounter:
    """Counts the segments of a text that is added piece by piece."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.segments = 1
        self.units = 0
        """Code units of the whole text so far."""
        self._alphabet: Alphabet = alphabet
        self._used = 0

    def add(self, cluster: str) -> None:
        """Add a character as readers see it; it stays in one segment where it fits into one."""
        room = JOINED_SEGMENT_UNITS[self._alphabet]
        units = (cluster,) if count_code_units(cluster, self._alphabet) <= room else cluster
        for unit in units:
            size = count_code_units(unit, self._alphabet)
            self.units += size
            if self._used + size > room:
                self.segments += 1
                self._used = 0
            self._used += size

    def fits(self, segments: int, mark: str) -> bool:
        """Return whether the text and a mark after it fit into a number of segments."""
        if segments == 1:
            return self.units + len(mark) <= SINGLE_SEGMENT_UNITS[self._alphabet]
        over = max(0, self._used + len(mark) - JOINED_SEGMENT_UNITS[self._alphabet])
        return self.segments + (over > 0) <= segments


def _truncate_to_segments(text: str, segments: int, alphabet: Alphabet, mark: str = "") -> str:
    """Return the longest start of a text that fits into the segments with a mark after it."""
    counter, length = _SegmentCounter(alphabet), 0
    for cluster in split_graphemes(text):
        counter.add(cluster)
        if not counter.fits(segments, mark):
            break
        length += len(cluster)
    return text[:length]


def detect_alphabet(text: str) -> Alphabet:
    """Return the alphabet of a text: one character outside of GSM makes it UCS-2."""
    return "gsm" if GSM.union(GSM_PAIRS).issuperset(text) else "ucs2"


def count_code_units(text: str, alphabet: Alphabet) -> int:
    """Return how many code units a text takes."""
    if alphabet == "gsm":
        return len(text) + sum(character in GSM_PAIRS for character in text)
    return len(text) + sum(character > "\uffff" for character in text)
