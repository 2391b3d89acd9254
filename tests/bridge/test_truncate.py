"""Texts are cut where nobody sees a seam."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bridge import split_graphemes, truncate

FAMILY = "👩\u200d👩\u200d👧\u200d👦"


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("", 0, ""),
        ("hello", 5, "hello"),
        ("hello", 4, "hel…"),
        ("hello", 1, "…"),
        ("hello", 0, ""),
        ("one two", 5, "one…"),
        (f"a{FAMILY}", 7, "a…"),
        (f"{FAMILY}{FAMILY}", 8, f"{FAMILY}…"),
        ("🇳🇿🇳🇿", 3, "🇳🇿…"),
        ("🇳🇿🇳🇿", 2, "…"),
        ("e\u0301e\u0301", 3, "e\u0301…"),
        ("👍🏽👍🏽", 3, "👍🏽…"),
        ("a\r\nb", 2, "a…"),
    ],
)
def test_a_text_keeps_whole_characters(text: str, most: int, expected: str) -> None:
    assert truncate(text, most) == expected


def test_bytes_are_counted_where_asked_for() -> None:
    def size(text: str) -> int:
        return len(text.encode())

    assert truncate("ééé", 6, measure=size) == "ééé"
    assert truncate("éééé", 7, measure=size) == "éé…"
    assert truncate("éééé", 7, measure=size, mark="...") == "éé..."
    assert truncate("éééé", 2, measure=size) == "é"


@given(st.text(max_size=60), st.integers(0, 80))
def test_a_cut_text_fits_and_begins_as_it_did(text: str, most: int) -> None:
    cut = truncate(text, most)
    assert len(cut) <= most
    assert text == cut or text.startswith(cut.removesuffix("…"))


@given(st.text(st.sampled_from("a\u0301\u200d👩👦🏽🇳🇿\r\n "), max_size=30))
def test_the_characters_of_a_text_make_it_up(text: str) -> None:
    assert "".join(split_graphemes(text)) == text
    assert all(split_graphemes(text))


def test_characters_are_what_a_reader_sees() -> None:
    assert list(split_graphemes(f"ae\u0301{FAMILY}🇳🇿🇩🇪👍🏽\r\n")) == [
        "a",
        "e\u0301",
        FAMILY,
        "🇳🇿",
        "🇩🇪",
        "👍🏽",
        "\r\n",
    ]
