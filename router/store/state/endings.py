"""Deliveries that a transaction ends: noted in it, and told when it is committed."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

COUNTED = frozenset({"dead", "expired", "cancelled"})
"""The states of ends that are noted: all in which nobody got the message."""

_KEY = "ended deliveries"


class Ended(NamedTuple):
    """A delivery that ended, in which state and why."""

    delivery: str
    channel: str
    state: str
    reason: str


def note_ended(connection: Connection, ended: Iterable[Ended]) -> None:
    """Note deliveries that the open transaction ends."""
    noted: list[Ended] = connection.info.setdefault(_KEY, [])
    noted += [each for each in ended if each.state in COUNTED]


def count_ended(connection: Connection) -> int:
    """Return how many are noted, for `drop_ended`."""
    return len(connection.info.get(_KEY, ()))


def drop_ended(connection: Connection, kept: int) -> None:
    """Forget all but the first: what noted the others was rolled back."""
    del connection.info.get(_KEY, [])[kept:]


def take_ended(connection: Connection) -> list[Ended]:
    """Return what is noted, and forget it."""
    ended: list[Ended] = connection.info.pop(_KEY, [])
    return ended
