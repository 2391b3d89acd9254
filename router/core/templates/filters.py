"""The filters a template may use. Each is bounded: no result is longer than `LIMIT`.

They take what a payload may hold (text, number, truth, list, mapping; None is absent) and raise
`TypeError` or `ValueError` for what they cannot use, which costs that one text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from urllib.parse import quote

import msgspec

MAX_RESULT_LENGTH = 16 * 1024
"""Characters of the longest text a template reads, makes on its way, or gives."""

MAX_ITEMS = 1000
"""Items of a list that a template looks at."""

_DATE_FORMAT = re.compile(r"(?:[^%]|%[aAbBdeHIjmMpSuUVyYZ%-])*")
_MIN_MILLISECONDS = 1e11
"""Times above it are in milliseconds: in seconds it is the year 5138."""


def text(value: object) -> str:
    """Return a value as a template prints it; lists with commas, mappings as JSON."""
    match value:
        case str():
            return value[:MAX_RESULT_LENGTH]
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return join(value, ", ")
        case _:
            return msgspec.json.encode(value).decode()[:MAX_RESULT_LENGTH]


def number(value: object) -> float | int | None:
    """Return a number, or a text that holds one, as a number; else None."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > 40:  # noqa: PLR2004 - no number of use is longer
        return None
    try:
        return int(value)
    except ValueError:
        return _float(value)


def default(value: object, fallback: object = "", boolean: object = False) -> object:  # noqa: FBT002 - Jinja's signature
    """Return the fallback for an absent value; with `boolean` for an empty one too."""
    if value is None:
        return fallback
    return fallback if boolean and not value else value


def upper(value: object) -> str:
    """Return the text in capitals."""
    return text(value).upper()[:MAX_RESULT_LENGTH]


def lower(value: object) -> str:
    """Return the text in small letters."""
    return text(value).lower()[:MAX_RESULT_LENGTH]


def capitalize(value: object) -> str:
    """Return the text with a capital at its start and small letters after it."""
    return text(value).capitalize()[:MAX_RESULT_LENGTH]


def title(value: object) -> str:
    """Return the text with a capital at the start of every word."""
    return re.sub(r"\w[\w'’]*", lambda word: word[0].capitalize(), text(value))[:MAX_RESULT_LENGTH]  # noqa: RUF001 - people write it


def trim(value: object, chars: object = None) -> str:
    """Return the text without white space, or these characters, at both ends."""
    return text(value).strip(None if chars is None else text(chars))


def truncate(value: object, length: int = 255, end: object = "…") -> str:
    """Return at most `length` characters, cut between words if one ends in the last third."""
    words, tail = text(value), text(end)
    if len(words) <= length:
        return words
    room = max(length - len(tail), 0)
    head, _, _ = words[: room + 1].rpartition(" ")
    cut = head if 3 * len(head) >= 2 * room else words[:room]
    return (cut.rstrip() + tail)[: max(length, 0)]


def replace(value: object, old: object, new: object) -> str:
    """Return the text with every `old` replaced."""
    words, before, after = text(value), text(old), text(new)
    if not before:
        return words
    room = MAX_RESULT_LENGTH // max(len(after), 1)
    return words.replace(before, after, room + 1)[:MAX_RESULT_LENGTH]


def join(value: object, separator: object = "", attribute: object = None) -> str:
    """Return the items of a list, or that attribute of them, as one text."""
    items = [value] if not isinstance(value, list) else value
    between, parts, size = text(separator), [], 0
    for item in islice(items, MAX_ITEMS):
        part = text(item if attribute is None else key(item, attribute))
        size += len(part) + len(between)
        parts.append(part)
        if size > MAX_RESULT_LENGTH:
            break
    return between.join(parts)[:MAX_RESULT_LENGTH]


def length(value: object) -> int:
    """Return how many characters, items or keys there are; none in what is absent."""
    return len(value) if isinstance(value, Sequence | Mapping) else len(text(value))


def first(value: object) -> object:
    """Return the first character or item, if there is one."""
    return _part(value[0]) if isinstance(value, str | list) and value else None


def last(value: object) -> object:
    """Return the last character or item, if there is one."""
    return _part(value[-1]) if isinstance(value, str | list) and value else None


def integer(value: object, fallback: object = 0) -> object:
    """Return a number, or a text that holds one, as a whole number; else the fallback."""
    parsed = number(value)
    return fallback if parsed is None else int(parsed)


def rounded(value: object, precision: int = 0) -> float | int | None:
    """Return a number rounded to so many places behind the point; absent stays absent."""
    parsed = number(value)
    if parsed is None:
        return None
    places = max(min(precision, 15), 0)
    return round(float(parsed), places) if places else round(float(parsed))


def date(value: object, form: object = "%Y-%m-%d %H:%M") -> str:
    """Return a time (epoch seconds or milliseconds, number or text) in UTC; else nothing."""
    seconds, pattern = number(value), text(form)
    if not _DATE_FORMAT.fullmatch(pattern):
        raise ValueError(f"{pattern[:40]!r} is not a date format")
    if seconds is None:
        return ""
    try:
        moment = datetime.fromtimestamp(
            seconds / 1000 if seconds > _MIN_MILLISECONDS else seconds, UTC
        )
    except (OverflowError, ValueError, OSError):
        return ""
    return moment.strftime(pattern)[:MAX_RESULT_LENGTH]


def urlencode(value: object) -> str:
    """Return the text as one part of a URL."""
    return quote(text(value), safe="")[:MAX_RESULT_LENGTH]


FILTERS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "capitalize": capitalize,
        "date": date,
        "default": default,
        "first": first,
        "int": integer,
        "join": join,
        "last": last,
        "length": length,
        "lower": lower,
        "replace": replace,
        "round": rounded,
        "title": title,
        "trim": trim,
        "truncate": truncate,
        "upper": upper,
        "urlencode": urlencode,
    }
)
"""Every filter by the name a template uses."""


def key(value: object, name: object) -> object:
    """Return what stands under a key, at an index, or under a key of every item; else None.

    Only mappings and lists have parts: a method or an attribute is never reached.
    """
    if isinstance(value, Mapping):
        return _part(value.get(name))
    if not isinstance(value, list):
        return None
    if isinstance(name, int):
        return _part(value[name]) if -len(value) <= name < len(value) else None
    keys = [key(item, name) for item in islice(value, MAX_ITEMS) if isinstance(item, Mapping)]
    return [part for part in keys if part is not None] or None


def _part(value: object) -> object:
    return value[:MAX_RESULT_LENGTH] if isinstance(value, str) else value


def _float(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
