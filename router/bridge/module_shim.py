"""Modules that stand in for others."""

import time
from collections.abc import Set as AbstractSet
from types import ModuleType


def copy_public_names(module: ModuleType, *, less: AbstractSet[str]) -> dict[str, object]:
    """Return the public names of a module for its stand-in, less those it answers itself."""
    return {n: v for n, v in vars(module).items() if n not in less and not n.startswith("__")}


class TimeShim(ModuleType):
    """The `time` module, less the sleeping."""

    def __init__(self) -> None:
        """Carry every name of the real module."""
        super().__init__("time")
        self.__dict__.update(copy_public_names(time, less={"sleep"}))

    def sleep(self, seconds: float) -> None:
        """Return at once."""
