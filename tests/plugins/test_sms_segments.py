"""Segments: how much of a text fits how many messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.plugins._segments import divide, fit, measure, tell_alphabet

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=800)
gsm_texts = st.text("abc 123@£$€[]{}\n", max_size=800)


def count_segments(text: str) -> int:
    alphabet = tell_alphabet(text)
    alone, joined = {"gsm": (160, 153), "ucs2": (70, 67)}[alphabet]
    size = measure(text, alphabet)
    return 1 if size <= alone else -(-size // joined)


@given(text=texts | gsm_texts, segments=st.integers(1, 10))
def test_a_text_never_takes_more_segments_than_allowed(text: str, segments: int) -> None:
    assert count_segments(fit(text, segments)) <= segments


@given(text=texts | gsm_texts, segments=st.integers(1, 10))
def test_a_text_that_fits_is_not_touched(text: str, segments: int) -> None:
    if count_segments(text) <= segments:
        assert fit(text, segments) == text


@given(text=texts, segments=st.integers(1, 10))
def test_a_cut_text_is_a_start_of_the_text_in_whole_characters(text: str, segments: int) -> None:
    cut = fit(text, segments)
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
    assert len(fit(text, segments)) == length


@given(text=texts | gsm_texts, segments=st.integers(1, 3))
def test_a_divided_text_loses_no_word_before_its_last_part(text: str, segments: int) -> None:
    *parts, last = divide(text, segments)
    assert all(0 < count_segments(part) <= segments for part in [*parts, last])
    assert len(parts) < 10
    told = "".join([*parts, last.removesuffix("...").removesuffix("…")])
    assert "".join(text.split()).startswith("".join(told.split()))


def test_a_text_is_divided_between_words() -> None:
    assert divide("a" * 100 + " " + "b" * 100, 1) == ["a" * 100, "b" * 100]
    assert divide("a" * 200, 1) == ["a" * 160, "a" * 40]
    assert divide("short", 1) == ["short"]


def test_a_text_is_divided_into_ten_at_most_and_then_cut() -> None:
    parts = divide("a" * 2000, 1)
    assert len(parts) == 10
    assert parts[-1].endswith("...")


def test_the_mark_of_a_cut_never_changes_the_alphabet() -> None:
    assert fit("a" * 200, 1).endswith("...")
    assert fit("я" * 200, 1).endswith("…")
