"""Every link leads somewhere: to a file of the repository, and there to a heading."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.blocks import MARKDOWN, ROOT, without_blocks

_LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_PUNCTUATION = re.compile(r"[^\w\- ]")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(without_blocks(page.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = _PUNCTUATION.sub("", words).replace(" ", "-")
        number = next(
            n for n in range(len(found) + 1) if (f"{slug}-{n}" if n else slug) not in found
        )
        found.add(f"{slug}-{number}" if number else slug)
    return found


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(without_blocks(page.read_text(encoding="utf-8"))):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_anchors_are_made_as_they_are_shown() -> None:
    glossary = anchors(ROOT / "docs/glossary.md")
    assert glossary == {"glossary"}
    assert "on-disk-before-the-200" in anchors(ROOT / "docs/explanation/architecture.md")


def test_every_page_is_reached_from_the_readme() -> None:
    seen = [ROOT / "README.md"]
    for page in seen:
        for target in _LINK.findall(without_blocks(page.read_text(encoding="utf-8"))):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists() and file not in seen:
                seen.append(file)
    assert {str(p.relative_to(ROOT)) for p in MARKDOWN} <= {str(p.relative_to(ROOT)) for p in seen}


def test_decisions_are_listed_by_their_titles() -> None:
    folder = ROOT / "docs/decisions"
    titles = {
        page.name: page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for page in folder.glob("0*.md")
    }
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert {name: title for title, name in listed} == titles
