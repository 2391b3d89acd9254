"""What a template's operators mean for values of a payload; None is what is absent or null.

What is absent equals nothing and is neither less nor more. A number and a text are compared as
people read them: as texts for equality, as numbers for order.
"""

import operator
from collections.abc import Callable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from router.core.templates.filters import MAX_ITEMS, MAX_RESULT_LENGTH, number, text

Compare = Callable[[object, object], bool]


def equal(left: object, right: object) -> bool:
    """Return whether two values are the same, or are written the same."""
    if left is None or right is None:
        return False
    if type(left) is type(right) or (_is_number(left) and _is_number(right)):
        return left == right
    if _is_composite(left) or _is_composite(right):
        return False
    return text(left) == text(right)


def within(item: object, whole: object) -> bool:
    """Return whether an item is in a list, a text in a text, or a key in a mapping."""
    match whole:
        case list():
            return any(equal(item, part) for part in islice(whole, MAX_ITEMS))
        case str():
            return item is not None and text(item) in whole
        case Mapping():
            return isinstance(item, str) and item in whole
        case _:
            return False


def add(left: object, right: object) -> object:
    """Return the sum of two numbers; of anything else, one text behind the other."""
    if _is_number(left) and _is_number(right):
        return left + right  # type: ignore[operator]  # both are numbers
    return (text(left) + text(right))[:MAX_RESULT_LENGTH]


def subtract(left: object, right: object) -> object:
    """Return the difference of two numbers; absent where one of them is no number."""
    minuend, subtrahend = number(left), number(right)
    return None if minuend is None or subtrahend is None else minuend - subtrahend


def _ordered(compare: Callable[[Any, Any], bool]) -> Compare:
    def holds(left: object, right: object) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return compare(left, right)
        low, high = number(left), number(right)
        return low is not None and high is not None and compare(low, high)

    return holds


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_composite(value: object) -> bool:
    return isinstance(value, list | Mapping)


COMPARISONS: Mapping[str, Compare] = MappingProxyType(
    {
        "eq": equal,
        "ne": lambda left, right: not equal(left, right),
        "lt": _ordered(operator.lt),
        "lteq": _ordered(operator.le),
        "gt": _ordered(operator.gt),
        "gteq": _ordered(operator.ge),
        "in": within,
        "notin": lambda left, right: not within(left, right),
    }
)
"""Every comparison by the name Jinja's parser gives it."""
