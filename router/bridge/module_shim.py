"""Stand-ins for modules."""

import time
from collections.abc import Set as AbstractSet
from types import ModuleType


def copy_public_names(module: ModuleType, *, without: AbstractSet[str]) -> dict[str, object]:
    """Return the public members of a module for its stand-in, `without` those it replaces."""
    return {n: v for n, v in vars(module).items() if n not in without and not n.startswith("__")}


class TimeShim(ModuleType):
    """The `time` module with a `sleep` that returns at once: the router limits rates itself."""

    def __init__(self) -> None:
        super().__init__("time")
        self.__dict__.update(copy_public_names(time, without={"sleep"}))

    def sleep(self, seconds: float) -> None:
        """Return at once."""
