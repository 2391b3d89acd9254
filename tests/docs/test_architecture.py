"""The map of the code shows every place there is, and none that is not."""

import re

from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`\S+/.*?) \|", PAGE, re.MULTILINE)
SHOWN = {place.rstrip("/") for row in ROWS for place in re.findall(r"`([^`]+)`", row)}


def test_every_place_on_the_map_exists() -> None:
    assert SHOWN
    assert [place for place in SHOWN if not (ROOT / place).exists()] == []


def test_every_part_of_the_router_is_on_the_map() -> None:
    parts = {
        f"router/{path.name}"
        for path in (ROOT / "router").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - {"router/__init__.py", "router/plugins"} <= SHOWN
