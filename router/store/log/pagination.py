"""Lists cut into pages, newest first, by an opaque cursor on the id."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from router.store.errors import CursorInvalid

Item = TypeVar("Item")

DEFAULT_PAGE_ITEMS = 50
"""How many items a page has when nobody says."""

MAX_PAGE_ITEMS = 200
"""How many items a page can have."""


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """Some items of a list; `next` is the cursor of the following page, None at the end."""

    items: tuple[Item, ...]
    next: str | None = None


def cut(rows: Sequence[Item], limit: int, identify: Callable[[Item], str]) -> Page[Item]:
    """Return the page of at most `limit` rows; one row more than that means there is a next."""
    items = tuple(rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next=write_cursor(identify(items[-1])) if more else None)


def write_cursor(last: str) -> str:
    """Return the cursor that goes on after the row with this id."""
    return urlsafe_b64encode(last.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> str | None:
    """Return the id a cursor goes on after; raises `CursorInvalid` for any other text."""
    if cursor is None:
        return None
    try:
        last = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise CursorInvalid(
            "cursor: not one that a list gave out; leave it out to start"
        ) from error
    if not last or not last.isprintable() or write_cursor(last) != cursor:
        raise CursorInvalid("cursor: not one that a list gave out; leave it out to start")
    return last
