import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.conditions.regex import (
    MAX_MEMORY_BYTES,
    PatternSet,
    compile_pattern,
    quote,
    translate,
)

PATTERNS = ("^a", "b$", "[0-9]+", r"(?i)\bx+\b", "", "a|b", "(?s)a.b", ".", r"\z")
TEXTS = st.text(alphabet="abxX1ß\n\0 ", max_size=12)


@given(st.lists(st.sampled_from(PATTERNS), max_size=6), TEXTS)
def test_a_set_finds_the_patterns_that_match_one_by_one(patterns: list[str], text: str) -> None:
    matching = [n for n, one in enumerate(patterns, 1) if compile_pattern(one).search(text)]
    found = PatternSet(patterns).find(text)
    assert found is not None
    assert sorted(found) == [0, *matching]


@given(TEXTS, TEXTS)
def test_a_quoted_text_matches_where_the_text_stands(part: str, text: str) -> None:
    assert (compile_pattern(quote(part)).search(text) is not None) is (part in text)


@given(st.text(alphabet="ab*?.\n", max_size=5), st.text(alphabet="ab.\n", max_size=6))
def test_a_translated_glob_covers_the_whole_text(glob: str, text: str) -> None:
    told = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in glob)
    matching = re.fullmatch(told, text, re.DOTALL) is not None
    assert (compile_pattern(translate(glob)).fullmatch(text) is not None) is matching


@pytest.mark.parametrize("memory", [1, 10_000, 60_000, 70_000, 200_000, MAX_MEMORY_BYTES])
def test_a_set_with_too_little_memory_says_so_rather_than_that_nothing_matches(
    memory: int,
) -> None:
    patterns = [rf"(?i)\bword{n} #?{n % 10}\d{{3,5}}\b" for n in range(50)]
    found = PatternSet(patterns, memory).find("see WORD7 #7123, " * 20)
    assert found == ([0, 8] if memory > 65_000 else None)
