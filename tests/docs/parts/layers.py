"""The layers of the code."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def write_layers() -> str:
    """Return the layers that import-linter holds, outermost first."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (layers,) = [
        contract["layers"]
        for contract in tools["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract["containers"] == ["router"]
    ]
    return "```text\n" + "\n".join(f"→ {layer}" for layer in layers)[2:] + "\n```\n"
