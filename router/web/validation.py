"""What a request says, read strictly: every fault at once, each with its place and a remedy."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct, UnsetType

from router.core.errors import suggest
from router.core.model.byte_order_mark import skip_byte_order_mark
from router.core.model.payload import Json
from router.store.errors import RequestFault
from router.store.log.pagination import DEFAULT_PAGE_ITEMS, MAX_PAGE_ITEMS
from router.web.problems import HTTPError

T = TypeVar("T", bound=Struct)


class PageParams(Struct, frozen=True, kw_only=True):
    """Which part of a list to give."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_ITEMS, description="How many items at most.")] = (
        DEFAULT_PAGE_ITEMS
    )
    cursor: Annotated[str, Meta(description="`next` of the part before.")] | None = None


def read_body(body: bytes, kind: type[T]) -> T:
    """Return a JSON body as a struct; raises `Refused` with everything wrong with it."""
    return read_value(read_json(body), kind)


def read_json(body: bytes) -> Json:
    """Return what a JSON body holds; raises `Refused` when it is none."""
    try:
        value: Json = msgspec.json.decode(skip_byte_order_mark(body))
    except RecursionError:
        raise _refused(RequestFault("$", "is nested too deeply")) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _refused(RequestFault("$", f"is not JSON: {error}")) from None
    return value


def read_value(value: Json, kind: type[T]) -> T:
    """Return a JSON value as a struct; raises `Refused` with everything wrong with it."""
    if faults := list(_struct_faults(value, kind, "$")):
        raise _refused(*faults)
    return msgspec.convert(value, kind)


def read_query(query: Mapping[str, str], kind: type[T]) -> T:
    """Return what a query says as a struct; raises `Refused` with everything wrong with it."""
    _check_query(query, kind)
    return msgspec.convert(query, kind, strict=False)


def read_list(query: Mapping[str, str], kind: type[T]) -> tuple[T, PageParams]:
    """Return the filter of a list and the part of it a query asks for; raises `Refused`."""
    _check_query(query, kind, PageParams)
    return msgspec.convert(query, kind, strict=False), msgspec.convert(
        query, PageParams, strict=False
    )


def _check_query(query: Mapping[str, str], *kinds: type[Struct]) -> None:
    names = [name for kind in kinds for name in _field_names(kind)]
    faults = [
        RequestFault(f"?{name}", _unknown(name, names)) for name in query if name not in names
    ]
    for kind in kinds:
        for field in msgspec.structs.fields(kind):
            if (text := query.get(field.encode_name)) is not None:
                place = f"?{field.encode_name}"
                faults += _value_faults(text, field.type, place, strict=False)
    if faults:
        raise _refused(*faults)


def _refused(*faults: RequestFault) -> HTTPError:
    return HTTPError(
        HTTPStatus.BAD_REQUEST, "the request is invalid; see `problems`", faults=faults
    )


def _field_names(kind: type[Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _unknown(name: str, names: list[str]) -> str:
    return f"unknown; {suggest(name, names) or 'known are ' + ', '.join(names)}"


def _struct_faults(value: Json, kind: type[Struct], path: str) -> Iterator[RequestFault]:
    if not isinstance(value, dict):
        yield RequestFault(path, "must be an object")
        return
    names = _field_names(kind)
    for name in value:
        if name not in names:
            yield RequestFault(f"{path}.{name}", _unknown(name, names))
    for field in msgspec.structs.fields(kind):
        place = f"{path}.{field.encode_name}"
        if field.encode_name in value:
            yield from _value_faults(value[field.encode_name], field.type, place)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield RequestFault(place, "must be given")


def _value_faults(
    value: Json, kind: object, path: str, *, strict: bool = True
) -> Iterator[RequestFault]:
    bare = _bare(kind, value)
    if isinstance(bare, type) and issubclass(bare, Struct):
        yield from _struct_faults(value, bare, path)
    elif get_origin(bare) is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _value_faults(item, get_args(bare)[1], f"{path}.{key}")
    elif get_origin(bare) is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_faults(item, get_args(bare)[0], f"{path}[{index}]")
    elif get_origin(bare) is Literal and value not in get_args(bare):
        yield RequestFault(path, f"must be one of {', '.join(map(str, get_args(bare)))}")
    else:
        try:
            msgspec.convert(value, kind, strict=strict)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$")
            yield RequestFault(path + place.rstrip("`"), reason[:1].lower() + reason[1:])


def _bare(kind: object, value: Json) -> object:
    """Return the one type behind a description, and behind null or what may be left out."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0], value)
    if get_origin(kind) not in {UnionType, Union} or value is None:
        return kind
    kinds = [part for part in get_args(kind) if part not in {NoneType, UnsetType}]
    return _bare(kinds[0], value) if len(kinds) == 1 else kind
