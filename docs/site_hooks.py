"""Links of the pages that lead to files outside of `docs/`, which the site does not hold."""

import re
from pathlib import PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)\s]*)\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - the hook's signature
    """Return a page with the texts of such links in the place of the links."""
    depth = len(PurePosixPath(page.file.src_uri).parent.parts)

    def unlink(link: re.Match[str]) -> str:
        return link[1] if link[2].count("../") > depth else link[0]

    return _LINK.sub(unlink, markdown)
