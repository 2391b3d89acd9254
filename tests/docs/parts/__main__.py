"""`make docs` writes the parts of the pages again; with `--check` it says which are behind."""

import sys

from tests.docs.blocks import PAGES
from tests.docs.parts import ROOT, rewritten

check = sys.argv[1:] == ["--check"]
behind = 0
for page in PAGES:
    old = page.read_text(encoding="utf-8")
    new = rewritten(old)
    if new == old:
        continue
    behind += check
    name = page.relative_to(ROOT)
    print(f"{name} is behind the code; run: make docs" if check else f"written: {name}")  # noqa: T201 - it says what it did
    if not check:
        page.write_text(new, encoding="utf-8")
sys.exit(behind > 0)
