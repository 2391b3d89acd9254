"""What the store refuses, each with its remedy."""

from collections.abc import Sequence

from msgspec import Struct


class StoreUnavailable(Exception):  # noqa: N818 - it names a state of the store
    """A write did not become durable: the disk, the file or the queue in front of it."""


class DatabaseUnusable(Exception):  # noqa: N818 - it names a state of the database
    """The database cannot be opened as it is: too old, too new, or not there."""


class AppAmbiguous(Exception):  # noqa: N818 - it names what is wrong with the request
    """`appId` was left out although not exactly one app is known; `known` lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        """Say which apps are known."""
        which = f"known are {', '.join(names)}" if names else "none is known yet"
        super().__init__(f"appId is required unless exactly one app is known; {which}")
        self.known = tuple(names)


class RequestFault(Struct, frozen=True):
    """One thing wrong with a request: the JSON path in its body, and why."""

    path: str
    reason: str


class RecipientInvalid(ValueError):  # noqa: N818 - it names what is wrong with the request
    """A recipient cannot be as asked; `faults` holds everything wrong at once."""

    def __init__(self, faults: Sequence[RequestFault]) -> None:
        """Keep the faults for the answer's `problems`."""
        super().__init__("; ".join(f"{fault.path}: {fault.reason}" for fault in faults))
        self.faults = tuple(faults)


class CursorInvalid(ValueError):  # noqa: N818 - it names what is wrong with the request
    """A cursor that no list gave out."""
