"""What `when` means, told a second time and as simply as possible."""

import re
from collections.abc import Mapping

from router.core.conditions.condition import ConditionSubject
from router.core.model.payload import Json
from tests.core.condition_subjects import TEXT_FIELDS
from tests.core.conditions_from_yaml import DECLARED, LISTS
from tests.core.named_hours import OFFSETS

_IN_MESSAGE = ("level", "flag", "price", "note", "rank")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def matches(when: Json, subject: ConditionSubject) -> bool:
    """Return whether a subject matches a `when` given as JSON."""
    if isinstance(when, list):
        return any(matches(part, subject) for part in when)
    assert isinstance(when, dict)
    return all(_entry(key, value, subject) for key, value in when.items())


def _entry(key: str, value: Json, subject: ConditionSubject) -> bool:
    match key, value:
        case "any", list(parts):
            return any(matches(part, subject) for part in parts)
        case "all", list(parts):
            return all(matches(part, subject) for part in parts)
        case "none", list(parts):
            return not any(matches(part, subject) for part in parts)
        case "not", _:
            return not matches(value, subject)
    return _field(key, value, look_up(key, subject))


def _field(name: str, test: Json, found: Json) -> bool:
    if isinstance(test, list):
        return any(_field(name, part, found) for part in test)
    if not isinstance(test, dict):
        return _compare(name, "is", test, found)
    return all(
        any(_compare(name, operator, want, found) for want in _alternatives(operator, wanted))
        for operator, wanted in test.items()
    )


def _alternatives(operator: str, wanted: Json) -> list[Json]:
    several: list[Json] = list(wanted) if isinstance(wanted, list) else [wanted]
    if operator == "list":
        return [value for name in several for value in LISTS[str(name)]]
    return several


def look_up(name: str, subject: ConditionSubject) -> Json:
    """Return the value of a field, or what is declared to stand in for it."""
    found = _look_up(name, subject)
    return DECLARED.get(name, {}).get("default") if found is None else found


def _look_up(name: str, subject: ConditionSubject) -> Json:
    notification = subject.notification
    details, custom = notification.details, notification.details.get("custom")
    sent = notification.sent_at
    known: dict[str, Json] = {
        "kind": notification.kind,
        "reply": notification.reply,
        "age": None if sent is None else subject.now - _occurred(sent, notification.accepted_at),
        "to.email": _dig(notification.data.get("to"), "email"),
        "custom.tier": _dig(custom, "tier"),
        "custom['deep-link'].x": _dig(_dig(custom, "deep-link"), "x"),
        **{f"message.{key}": _dig(details.get("message"), key) for key in _IN_MESSAGE},
        "attributes.b": subject.recipient.attributes.get("b"),
        "hours": _hours(subject),
        "attributes.a": subject.recipient.attributes.get("a"),
    }
    return known[name] if name in known else details.get(name)


def _hours(subject: ConditionSubject) -> list[Json]:
    """Return the hours of `HOURS` it is: those of the day by the recipient's clock, or UTC."""
    utc = int(subject.now) // 3600 % 24
    local = (utc + OFFSETS.get(subject.recipient.timezone, 0)) % 24
    is_day = 8 <= local < 20
    return ["day" if is_day else "night", *["office" for _ in range(9 <= utc < 17)]]


def _occurred(sent: float, accepted: float) -> float:
    is_believable = accepted - 24 * 3600 <= sent <= accepted + 5 * 60
    return sent if is_believable else accepted


def _dig(value: Json, key: str) -> Json:
    if isinstance(value, list):
        found: list[Json] = [_dig(item, key) for item in value]
        return [item for item in found if item is not None] or None
    return value.get(key) if isinstance(value, Mapping) else None


def _compare(name: str, operator: str, want: Json, found: Json) -> bool:
    if operator == "exists":
        return (found is not None) == want
    if isinstance(found, list):
        return any(_compare(name, operator, want, item) for item in found)
    if found is None or isinstance(found, dict):
        return False
    kind = DECLARED.get(name, {}).get("type")
    is_text = (
        name in TEXT_FIELDS
        or kind in {"text", "enum"}
        or name in {"type", "callAction", "kind", "hours"}
    )
    if is_text and operator not in {"gt", "gte", "lt", "lte"}:
        return _text(operator, _written(want), _written(found))
    if name == "reply" or kind == "bool":
        return found is want
    return _order(operator, _found_number(name, found), _wanted_number(name, want))


def _found_number(name: str, found: Json) -> float | None:
    number = _number(found)
    if number is None or name in {*TEXT_FIELDS, *DECLARED, "age"}:
        return number
    if isinstance(found, str) and "." in found:
        return None
    if name == "unreadMessageCount":
        return number if number == int(number) else None
    return number / 1000 if 0 < number < 1e15 else None


def _wanted_number(name: str, want: Json) -> float | None:
    if name == "age":
        return float(str(want)[:-1]) * _SECONDS[str(want)[-1]]
    number = _number(want)
    return number / 1000 if number is not None and name == "sentAt" else number


def _written(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Json) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return float(value) if re.fullmatch(r"[-+]?\d+(\.\d+)?", value) else None
    return float(value) if isinstance(value, int | float) else None


def _order(operator: str, found: float | None, want: float | None) -> bool:
    if found is None or want is None:
        return False
    return {
        "gt": found > want,
        "gte": found >= want,
        "lt": found < want,
        "lte": found <= want,
    }.get(operator, found == want)


def _text(operator: str, want: str, found: str) -> bool:
    if operator in {"is", "in", "list"}:
        return found == want
    if operator == "matches":
        return re.search(want, found) is not None
    want, found = want.casefold(), found.casefold()
    if operator == "glob":
        return _glob(want, found)
    return {
        "starts_with": found[: len(want)] == want,
        "ends_with": found[len(found) - len(want) :] == want and len(want) <= len(found),
        "contains": want in found,
    }[operator]


def _glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and _glob(pattern[1:], text[1:])
