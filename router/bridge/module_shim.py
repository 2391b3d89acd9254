"""Modules that stand in for others."""

from collections.abc import Set as AbstractSet
from types import ModuleType


def copy_public_names(module: ModuleType, *, less: AbstractSet[str]) -> dict[str, object]:
    """Return the public names of a module for its stand-in, less those it answers itself."""
    return {n: v for n, v in vars(module).items() if n not in less and not n.startswith("__")}
