"""How much of a text fits the segments of a text message.

The alphabet and its lengths: 3GPP TS 23.038;
https://www.twilio.com/docs/glossary/what-sms-character-limit
"""

from functools import partial
from typing import Literal

from router.bridge import shorten

Alphabet = Literal["gsm", "ucs2"]

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_PAIRS = frozenset("^{}\\[~]|€\f")
"""Characters that take two places in the GSM alphabet."""

ONE = {"gsm": 160, "ucs2": 70}
MANY = {"gsm": 153, "ucs2": 67}
"""Places in a message alone, and in each of several that a phone joins."""

MOST_PARTS = 10


def fit(text: str, segments: int) -> str:
    """Return as much of a text as so many segments hold, with a mark where it was cut."""
    alphabet = tell_alphabet(text)
    mark = "..." if alphabet == "gsm" else "…"
    room = count_places(alphabet, segments)
    return shorten(text, room, measure=partial(measure, alphabet=alphabet), mark=mark)


def divide(text: str, segments: int) -> list[str]:
    """Return a text in parts of so many segments, between words where it can be."""
    alphabet = tell_alphabet(text)
    room = count_places(alphabet, segments)
    parts: list[str] = []
    while measure(text, alphabet) > room and len(parts) < MOST_PARTS - 1:
        part = shorten(text, room, measure=partial(measure, alphabet=alphabet), mark="")
        whole, space, _ = part.rpartition(" ")
        if space and len(whole) > len(part) // 2 and not text[len(part) :].startswith(" "):
            part = whole
        if not part:
            break
        parts.append(part)
        text = text[len(part) :].lstrip()
    return [*parts, fit(text, segments)]


def count_places(alphabet: Alphabet, segments: int) -> int:
    """Return how many places so many segments have."""
    return ONE[alphabet] if segments == 1 else MANY[alphabet] * segments


def tell_alphabet(text: str) -> Alphabet:
    """Return the alphabet a text goes out in: one character outside of GSM changes all."""
    return "gsm" if GSM.union(GSM_PAIRS).issuperset(text) else "ucs2"


def measure(text: str, alphabet: Alphabet) -> int:
    """Return how many places a text takes."""
    if alphabet == "gsm":
        return len(text) + sum(character in GSM_PAIRS for character in text)
    return len(text.encode("utf-16-le")) // 2
