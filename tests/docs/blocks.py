"""The fenced code blocks of README and docs."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
MARKDOWN = tuple(
    page
    for page in sorted(ROOT.rglob("*.md"))
    if not any(
        part.startswith(".") or part == "node_modules" for part in page.relative_to(ROOT).parts
    )
)
"""Every page of the repository, those that show no code of ours too."""
CHECKED = ("sh", "yaml", "python", "json", "promql")
SHOWN = ("ini", "nginx", "caddyfile", "yml")
"""Files of the repository, shown whole; they have tests of their own."""
UNCHECKED = ("text", "mermaid", "sh-example")
"""Output, diagrams, and commands that need what only a reader has; their syntax is checked."""
FOREIGN = ("js",)
"""What a browser runs; the names it shares with the router are checked."""

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def without_blocks(text: str) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", text)


class Block(NamedTuple):
    """A code block and where it stands."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            name = str(page.relative_to(ROOT))
            found.append(Block(name, line, match.group(1), match.group(2)))
    return [block for block in found if not languages or block.language in languages]


def first_column(page: str, heading: str) -> list[str]:
    """Return the words in backticks in the first column of a page's table."""
    [body] = re.findall(rf"^\| {heading} \|.*\n\|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    cells = re.findall(r"^\| (.*?) \|", body, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`(\w+)`", cell)]
