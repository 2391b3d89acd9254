"""A `time` whose `sleep` does not sleep: the router keeps rates, not the plugins."""

import time
from types import ModuleType

from router.bridge.module_shim import carry


class Pause(ModuleType):
    """The `time` module, less the sleeping."""

    def __init__(self) -> None:
        """Carry every name of the real module."""
        super().__init__("time")
        self.__dict__.update(carry(time, less={"sleep"}))

    def sleep(self, seconds: float) -> None:
        """Return at once."""
