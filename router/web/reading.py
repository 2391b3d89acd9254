"""What a request says, read strictly: every fault at once, each with its place and a remedy."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct, UnsetType

from router.core.errors import suggest
from router.core.payload import Json
from router.store.errors import Fault
from router.store.page import LIMIT, MOST
from router.web.problems import Refused

T = TypeVar("T", bound=Struct)


class Cut(Struct, frozen=True, kw_only=True):
    """Which part of a list: at most `limit` items, after the place a `cursor` marks."""

    limit: int = LIMIT
    cursor: str | None = None


def read_body(body: bytes, kind: type[T]) -> T:
    """Return a JSON body as a struct; raises `Refused` with everything wrong with it."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _refused(Fault("$", "is nested too deeply")) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _refused(Fault("$", f"is not JSON: {error}")) from None
    if faults := list(_struct_faults(value, kind, "$")):
        raise _refused(*faults)
    return msgspec.convert(value, kind)


def read_query(query: Mapping[str, str], kind: type[T]) -> tuple[T, Cut]:
    """Return a filter and the part of the list a query asks for; raises `Refused`."""
    cut_names = {"limit", "cursor"}
    faults = [
        Fault(f"?{name}", _unknown(name, [*_names(kind), *cut_names]))
        for name in query
        if name not in _names(kind) and name not in cut_names
    ]
    given = dict(query)
    limit = given.pop("limit", str(LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= MOST):
        faults.append(Fault("?limit", f"must be a number from 1 to {MOST}"))
    cursor = given.pop("cursor", None)
    for field in msgspec.structs.fields(kind):
        if field.encode_name in given:
            text = given[field.encode_name]
            faults += _value_faults(text, field.type, f"?{field.encode_name}", strict=False)
    if faults:
        raise _refused(*faults)
    return msgspec.convert(given, kind, strict=False), Cut(limit=int(limit), cursor=cursor)


def _refused(*faults: Fault) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "the request is wrong; see `problems`", faults=faults)


def _names(kind: type[Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _unknown(name: str, known: list[str]) -> str:
    return f"unknown; {suggest(name, known) or 'known are ' + ', '.join(known)}"


def _struct_faults(value: Json, kind: type[Struct], path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, "must be an object")
        return
    known = _names(kind)
    for name in value:
        if name not in known:
            yield Fault(f"{path}.{name}", _unknown(name, known))
    for field in msgspec.structs.fields(kind):
        place = f"{path}.{field.encode_name}"
        if field.encode_name in value:
            yield from _value_faults(value[field.encode_name], field.type, place)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield Fault(place, "must be given")


def _value_faults(value: Json, kind: object, path: str, *, strict: bool = True) -> Iterator[Fault]:
    kind = _bare(kind, value)
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield from _struct_faults(value, kind, path)
    elif get_origin(kind) is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _value_faults(item, get_args(kind)[1], f"{path}.{key}")
    elif get_origin(kind) is Literal and value not in get_args(kind):
        words = [str(word) for word in get_args(kind)]
        yield Fault(path, f"must be one of {', '.join(words)}")
    else:
        try:
            msgspec.convert(value, kind, strict=strict)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$")
            yield Fault(path + place.rstrip("`"), reason[:1].lower() + reason[1:])


def _bare(kind: object, value: Json) -> object:
    """Return the one type behind a union with null or with what may be left out."""
    if get_origin(kind) not in {UnionType, Union}:
        return kind
    kinds = [part for part in get_args(kind) if part not in {NoneType, UnsetType}]
    return kinds[0] if len(kinds) == 1 and value is not None else kind
