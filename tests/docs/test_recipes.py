"""Pages that show rules and their tests: the rules do what the tests say."""

from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli import main
from router.core.loading.tests import cases, events
from tests.docs.blocks import ROOT, Block, blocks, first_column

FOLDER = ROOT / "docs/howto/rules"
PAGE = (ROOT / "docs/howto/test-rules.md").read_text(encoding="utf-8")
PAIRS = [
    (rules, tests)
    for rules, tests in pairwise(blocks("yaml"))
    if tests.text.startswith("tests:") and tests.page == rules.page
]


def test_every_recipe_is_listed_and_has_tests() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    pages = sorted(page.name for page in FOLDER.glob("[a-z]*.md"))
    assert [page for page in pages if f"]({page})" not in listed] == []
    tested = {Path(rules.page).name for rules, _ in PAIRS}
    assert [page for page in pages if page not in tested] == []
    assert len(pages) >= 10


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair[0]))
def test_the_rules_do_what_the_tests_say(
    pair: tuple[Block, Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, block in zip(("rules.yaml", "rules.test.yaml"), pair, strict=True):
        (tmp_path / name).write_text(block.text, encoding="utf-8")
    monkeypatch.setenv("ROUTER_RULES", str(tmp_path / "rules.yaml"))
    done = CliRunner().invoke(main, ["test", "--coverage"])
    assert done.exit_code == 0, done.output
    assert "rules.yaml: all tested\n" in done.output, done.output


def test_the_page_on_tests_names_every_key() -> None:
    assert sorted(first_column(PAGE, "key of a test")) == sorted(cases._CASE)
    assert sorted(first_column(PAGE, "key of an event")) == sorted(events._EVENT)
    assert [key for key in cases._EXPECTED if f"`{key}`" not in PAGE] == []
