"""Files of the repository that a page shows whole."""

from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHOWN = {
    "docker/router.service": "ini",
    "docker/nginx.conf": "nginx",
    "docker/Caddyfile": "caddyfile",
    "docker/alerts.yml": "yml",
}
"""The files and the language of the block each is shown in."""


def show(path: str) -> Callable[[], str]:
    """Return what writes a file as a code block."""

    def write() -> str:
        text = (ROOT / path).read_text(encoding="utf-8")
        return f"```{SHOWN[path]}\n{text.rstrip()}\n```\n"

    return write
