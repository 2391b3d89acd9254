"""A `time` whose `sleep` does not sleep: the router keeps rates, not the plugins."""

import time
from types import ModuleType

from router.bridge.module_shim import copy_public_names


class TimeShim(ModuleType):
    """The `time` module, less the sleeping."""

    def __init__(self) -> None:
        """Carry every name of the real module."""
        super().__init__("time")
        self.__dict__.update(copy_public_names(time, less={"sleep"}))

    def sleep(self, seconds: float) -> None:
        """Return at once."""
