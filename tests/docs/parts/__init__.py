"""The parts of the pages that are written from the code, each between two markers.

`make docs` writes them again; a test says when one differs.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.parts import (
    bodies,
    channels,
    cli,
    facts,
    files,
    layers,
    logs,
    metrics,
    packages,
    routes,
    rules,
    settings,
)

ROOT = Path(__file__).parents[3]

PARTS: Mapping[str, Callable[[], str]] = {
    "layers": layers.write_layers,
    "packages": packages.write_packages,
    "settings": settings.write_variables,
    "fields": rules.write_fields,
    "operators": rules.write_operators,
    "filters": rules.write_filters,
    "routes": routes.write_routes,
    "parameters": routes.write_parameters,
    "bodies": bodies.write_bodies,
    "verbs": cli.write_verbs,
    "metrics": metrics.write_metrics,
    "label values": metrics.write_label_values,
    "log fields": logs.write_fields,
    **{f"log events: {group}": table for group, table in logs.EVENT_TABLES.items()},
    "common channel settings": channels.write_common,
    "channels": channels.write_channels,
    **{f"facts: {name}": table for name, table in facts.TABLES.items()},
    **{f"file: {path}": files.show(path) for path in files.SHOWN},
}
"""What writes each part, by the name in its marker."""

_PART = re.compile(
    r"(?P<begin><!-- written from the code: (?P<name>[^>]+?) -->\n)"
    r"(?P<text>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)


def names_in(text: str) -> list[str]:
    """Return the names of the parts of a page, in order."""
    return [found["name"] for found in _PART.finditer(text)]


def rewritten(text: str) -> str:
    """Return a page with each of its parts as the code has it now."""
    return _PART.sub(
        lambda found: f"{found['begin']}\n{PARTS[found['name']]()}\n{found['end']}", text
    )
