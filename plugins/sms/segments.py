"""How much of a text fits the segments of a text message.

The alphabet and its lengths: 3GPP TS 23.038;
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
"""Characters that take two places in the GSM alphabet."""

SINGLE_SEGMENT_PLACES = {"gsm": 160, "ucs2": 70}
JOINED_SEGMENT_PLACES = {"gsm": 153, "ucs2": 67}
"""Places in a message alone, and in each of several that a phone joins."""

MAX_PARTS = 10


def fit_segments(text: str, segments: int) -> str:
    """Return as much of a text as so many segments hold, with a mark where it was cut."""
    alphabet = detect_alphabet(text)
    mark = "..." if alphabet == "gsm" else "…"
    if count_segments(text, alphabet) <= segments:
        return text
    return _cut(text, segments, alphabet, mark).rstrip() + mark


def split_text(text: str, segments: int) -> list[str]:
    """Return a text in parts of so many segments, between words where it can be."""
    alphabet = detect_alphabet(text)
    parts: list[str] = []
    while count_segments(text, alphabet) > segments and len(parts) < MAX_PARTS - 1:
        part = _cut(text, segments, alphabet).rstrip()
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

    In several segments nothing that takes more than one place is spread over two of them: no
    escaped character (3GPP TS 23.038, 6.2.1), no surrogate pair, and nothing that a reader sees as
    one character, which is how Twilio counts
    (https://github.com/TwilioDevEd/message-segment-calculator).
    """
    if count_places(text, alphabet) <= SINGLE_SEGMENT_PLACES[alphabet]:
        return 1
    filling = _SegmentFiller(alphabet)
    for cluster in split_graphemes(text):
        filling.add(cluster)
    return filling.segments


class _SegmentFiller:
    """Segments as they fill up."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.segments = 1
        self.places = 0
        """Of all that was added."""
        self._alphabet: Alphabet = alphabet
        self._used = 0

    def add(self, cluster: str) -> None:
        """Add what stays together, if a segment can hold it."""
        room = JOINED_SEGMENT_PLACES[self._alphabet]
        units = (cluster,) if count_places(cluster, self._alphabet) <= room else cluster
        for unit in units:
            size = count_places(unit, self._alphabet)
            self.places += size
            if self._used + size > room:
                self.segments += 1
                self._used = 0
            self._used += size

    def fits(self, segments: int, mark: str) -> bool:
        """Return whether so many segments hold this, and a mark of single places after it."""
        if segments == 1:
            return self.places + len(mark) <= SINGLE_SEGMENT_PLACES[self._alphabet]
        over = max(0, self._used + len(mark) - JOINED_SEGMENT_PLACES[self._alphabet])
        return self.segments + (over > 0) <= segments


def _cut(text: str, segments: int, alphabet: Alphabet, mark: str = "") -> str:
    """Return the longest start of a text that so many segments hold, with a mark after it."""
    filling, length = _SegmentFiller(alphabet), 0
    for cluster in split_graphemes(text):
        filling.add(cluster)
        if not filling.fits(segments, mark):
            break
        length += len(cluster)
    return text[:length]


def detect_alphabet(text: str) -> Alphabet:
    """Return the alphabet a text goes out in: one character outside of GSM changes all."""
    return "gsm" if GSM.union(GSM_PAIRS).issuperset(text) else "ucs2"


def count_places(text: str, alphabet: Alphabet) -> int:
    """Return how many places a text takes."""
    if alphabet == "gsm":
        return len(text) + sum(character in GSM_PAIRS for character in text)
    return len(text) + sum(character > "\uffff" for character in text)
