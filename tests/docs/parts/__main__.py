"""`make docs`: write the parts of the pages again that are written from the code."""

from tests.docs.blocks import PAGES
from tests.docs.parts import ROOT, rewritten

for page in PAGES:
    old = page.read_text(encoding="utf-8")
    new = rewritten(old)
    if new != old:
        page.write_text(new, encoding="utf-8")
        print(f"written: {page.relative_to(ROOT)}")  # noqa: T201 - it says what it did
