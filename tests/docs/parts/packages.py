"""The packages of the code, each with the first line of its docstring."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]


def write_packages() -> str:
    """Return a table of every package of the router and of its plugins."""
    rows = ["| package | contents |", "| --- | --- |"]
    for folder in ("router", "plugins"):
        for file in sorted((ROOT / folder).rglob("__init__.py")):
            if file.is_relative_to(ROOT / "router/plugins"):
                continue  # a link to plugins/
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            package = file.parent.relative_to(ROOT)
            rows.append(f"| `{package}/` | {text.partition(chr(10))[0]} |")
    return "\n".join(rows) + "\n"
