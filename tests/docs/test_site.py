"""The documentation builds as a site without a warning, and its search finds every page."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT


def test_the_site_builds_and_its_search_index_holds_every_page(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    index = json.loads((tmp_path / "search" / "search_index.json").read_text("utf-8"))
    indexed = {entry["location"].partition("#")[0] for entry in index["docs"]}
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    sites = {str(page.with_suffix(".html")).replace("README", "index") for page in pages}
    assert sites <= indexed | {"index.html"}
    assert "fonts.googleapis.com" not in (tmp_path / "index.html").read_text("utf-8")
