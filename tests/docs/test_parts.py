"""What the pages say of the code is what the code says."""

from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT
from tests.docs.parts import PARTS, names_in, rewritten

WITH_PARTS = [page for page in PAGES if names_in(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_PARTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_says_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert rewritten(text) == text, f"{page} is behind the code; run: make docs"


def test_every_part_stands_on_a_page_once() -> None:
    found = [name for page in WITH_PARTS for name in names_in(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(PARTS)
