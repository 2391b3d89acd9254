"""Segments: how much of a text fits how many messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.plugins.sms.segments import (
    count_code_units,
    count_segments,
    detect_alphabet,
    fit_segments,
    split_text,
)
from tests import TESTDATA

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=800)
gsm_texts = st.text("abc 123@£$€[]{}\n", max_size=800)


def count_units(text: str) -> int:
    """Return the segments of a text as the norm fills them, character by character."""
    alphabet = detect_alphabet(text)
    alone, joined = {"gsm": (160, 153), "ucs2": (70, 67)}[alphabet]
    sizes = [count_code_units(char, alphabet) for char in text]
    if sum(sizes) <= alone:
        return 1
    segments, used = 1, 0
    for size in sizes:
        segments, used = (segments, used + size) if used + size <= joined else (segments + 1, size)
    return segments


def count(text: str) -> int:
    return count_segments(text, detect_alphabet(text))


TABLE = json.loads((TESTDATA / "sms_segments.json").read_text("utf-8"))
"""Texts as runs of one character each, and how many segments they take.

What sms-segments-calculator 1.3.0 counts, which is the code behind Twilio's segment calculator
(https://twiliodeved.github.io/message-segment-calculator/): 688 texts around the ends of segments.
"""


@pytest.mark.parametrize(("runs", "segments"), TABLE, ids=range(len(TABLE)))
def test_segments_are_counted_as_twilio_counts_them(
    runs: list[tuple[str, int]], segments: int
) -> None:
    text = "".join(char * times for char, times in runs)
    assert count(text) == segments
    if segments <= 10:
        assert fit_segments(text, segments) == text
        assert count(fit_segments(text, max(1, segments - 1))) <= max(1, segments - 1)


def test_what_takes_two_places_is_not_spread_over_two_segments() -> None:
    assert count("a" * 152 + "€" + "b" * 151) == 2
    assert count("a" * 152 + "€" + "b" * 152) == 3
    assert len(fit_segments("a" * 152 + "€" + "b" * 152, 2)) == 152 + 1 + 148 + len("...")
    assert count("я" * 66 + "😀" + "ж" * 65) == 2
    assert count("я" * 66 + "😀" + "ж" * 66) == 3
    assert split_text("я" * 66 + "😀" * 35, 2) == ["я" * 66 + "😀" * 33, "😀" * 2]


@given(text=texts | gsm_texts, segments=st.integers(1, 10))
def test_a_text_never_takes_more_segments_than_allowed(text: str, segments: int) -> None:
    cut = fit_segments(text, segments)
    assert count(cut) <= segments
    assert count_units(cut) <= segments


@given(text=texts | gsm_texts, segments=st.integers(1, 10))
def test_a_text_that_fits_is_not_touched(text: str, segments: int) -> None:
    if count(text) <= segments:
        assert fit_segments(text, segments) == text


@given(text=texts, segments=st.integers(1, 10))
def test_a_cut_text_is_a_start_of_the_text_in_whole_characters(text: str, segments: int) -> None:
    cut = fit_segments(text, segments)
    cut.encode("utf-16-le")
    if cut != text:
        assert text.startswith(cut.removesuffix("...").removesuffix("…").rstrip())


@pytest.mark.parametrize(
    ("text", "segments", "length"),
    [
        ("a" * 160, 1, 160),
        ("a" * 161, 1, 160),
        ("a" * 161, 2, 161),
        ("a" * 306, 2, 306),
        ("a" * 307, 2, 306),
        ("€" * 80, 1, 80),
        ("€" * 81, 1, 81),
        ("я" * 70, 1, 70),
        ("я" * 71, 1, 70),
        ("я" * 135, 2, 134),
        ("😀" * 35, 1, 35),
        ("😀" * 36, 1, 35),
    ],
)
def test_segments_are_counted_as_the_networks_count(text: str, segments: int, length: int) -> None:
    assert len(fit_segments(text, segments)) == length


@given(text=texts | gsm_texts, segments=st.integers(1, 3))
def test_a_divided_text_loses_no_word_before_its_last_part(text: str, segments: int) -> None:
    *parts, last = split_text(text, segments)
    assert all(count(part) <= segments for part in [*parts, last])
    assert all(parts)
    assert len(parts) < 10
    told = "".join([*parts, last.removesuffix("...").removesuffix("…")])
    assert "".join(text.split()).startswith("".join(told.split()))


def test_a_text_is_divided_between_words() -> None:
    assert split_text("a" * 100 + " " + "b" * 100, 1) == ["a" * 100, "b" * 100]
    assert split_text("a" * 200, 1) == ["a" * 160, "a" * 40]
    assert split_text("short", 1) == ["short"]


def test_a_text_is_divided_into_ten_at_most_and_then_cut() -> None:
    parts = split_text("a" * 2000, 1)
    assert len(parts) == 10
    assert parts[-1].endswith("...")


def test_the_mark_of_a_cut_never_changes_the_alphabet() -> None:
    assert fit_segments("a" * 200, 1).endswith("...")
    assert fit_segments("я" * 200, 1).endswith("…")
