"""Deliveries that a transaction ends: noted in it, and told when it is committed."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

COUNTED = frozenset({"dead", "expired", "cancelled"})
"""The states of ends that are noted: all in which nobody got the message."""

_ENDED_KEY = "ended deliveries"


class EndedDelivery(NamedTuple):
    """A delivery that ended, in which state and why."""

    delivery: str
    channel: str
    state: str
    reason: str


def note_ended(connection: Connection, ended: Iterable[EndedDelivery]) -> None:
    """Note deliveries that the open transaction ends."""
    noted: list[EndedDelivery] = connection.info.setdefault(_ENDED_KEY, [])
    noted += [delivery for delivery in ended if delivery.state in COUNTED]


def count_ended(connection: Connection) -> int:
    """Return how many are noted, for `drop_ended`."""
    return len(connection.info.get(_ENDED_KEY, ()))


def drop_ended(connection: Connection, kept: int) -> None:
    """Forget all but the first: what noted the others was rolled back."""
    del connection.info.get(_ENDED_KEY, [])[kept:]


def take_ended(connection: Connection) -> list[EndedDelivery]:
    """Return what is noted, and forget it."""
    ended: list[EndedDelivery] = connection.info.pop(_ENDED_KEY, [])
    return ended
