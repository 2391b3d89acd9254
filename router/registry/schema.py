"""A channel's settings as a rules file sees them: checked whole, described, named."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import msgspec
from msgspec.structs import FieldInfo, fields, replace

from router.channel import Channel, Secret, can_retract, can_update
from router.core.errors import AddressError, SettingsError, SettingsFault, suggest
from router.core.model.address import Normalized
from router.core.model.local_access import LocalAccess
from router.core.model.payload import Json
from router.redaction import Redactor

_ERROR_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_FIELD_MESSAGE = re.compile(r"(?P<field>\w+): (?P<message>.+)", re.DOTALL)
_TYPES_IN_MESSAGE = re.compile(r"`([\w |]+)`")
_TYPE_NAMES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "settings",
    "array": "a list",
    "null": "nothing",
}


TypeAnnotation: TypeAlias = Any
"""A type as an annotation says it: a class, a union, `Annotated`, `Literal`."""


P = ParamSpec("P")
A = TypeVar("A")


def _with_fallback(question: Callable[P, A], otherwise: Callable[[Exception], A]) -> Callable[P, A]:
    """Return a question to a plugin that has an answer even where the plugin raises."""

    def ask(*args: P.args, **kwargs: P.kwargs) -> A:
        try:
            return question(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            return otherwise(error)

    return ask


def _error_name(error: Exception) -> str:
    """Return what an error is called; its own words may hold what the plugin was given."""
    return type(error).__name__


class PluginSchema:
    """A channel class as a rules file sees it (implements `core.ruleset.ChannelSchema`)."""

    def __init__(self, channel: type[Channel[Any]]) -> None:
        """Stand for the channel class."""
        self.channel = channel
        self.name = channel.name
        self.address_kind = channel.address_kind or channel.name
        self.replaces = channel.replaces
        self.wants = _with_fallback(channel.wants, lambda _: True)
        self.platforms = channel.platforms
        self.find_device_fault = _with_fallback(channel.find_device_fault, lambda _: "")
        self.updates = can_update(channel)
        self.retracts = can_retract(channel)

    def convert(self, settings: Mapping[str, Json]) -> object:
        """Return an instance of the settings class, or raise `SettingsError` with every fault."""
        faults = tuple(_check(self.channel.Settings, settings, ()))
        if faults:
            hidden = Redactor(_find_secrets(self.channel.Settings, settings))
            raise SettingsError(
                [
                    replace(f, message=hidden.mask_text(f.message), hint=hidden.mask_text(f.hint))
                    for f in faults
                ]
            )
        return _convert(settings, self.channel.Settings)

    def needs_contact(self, settings: object) -> bool:
        """Return whether these settings leave the address to the recipient's contact.

        Raises `SettingsError` where the plugin does not say.
        """
        try:
            return bool(self.channel.needs_contact(settings))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            message = f"the plugin cannot say whether it needs a contact: {_error_name(error)}"
            raise SettingsError([SettingsFault((), message)]) from None

    def normalize_address(
        self,
        settings: Any,  # noqa: ANN401 - an instance of the plugin's own class
        address: str,
        *,
        country: str,
        is_fixed: bool,
    ) -> Normalized:
        """Return an address as the plugin writes it, or why nothing can be sent to it."""
        try:
            normalized = self.channel.normalize_address(
                address, settings=settings, country=country, is_fixed=is_fixed
            )
        except AddressError as error:
            return Normalized(fault=str(error))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            return Normalized(fault=f"its plugin raised {_error_name(error)}")
        return Normalized(address=str(normalized))

    def find_local_access(self, settings: object) -> LocalAccess:
        """Return the files and services of the router's machine that these settings name.

        Raises `SettingsError` where the channel cannot use one, or the plugin does not say.
        """
        try:
            return self.channel.find_local_access(settings)
        except SettingsError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            message = f"the plugin cannot say which files it reads: {_error_name(error)}"
            raise SettingsError([SettingsFault((), message)]) from None

    def placeholder(self, path: str) -> str | None:
        """Return what stands in for a setting (dotted path) that sandbox mode does not find."""
        placeholder = self.channel.placeholders.get(path)
        return placeholder() if callable(placeholder) else placeholder

    def schema(self) -> dict[str, Json]:
        """Return the settings as JSON Schema; a property that is secret has `writeOnly: true`."""
        return self._schema

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return msgspec.json.schema(self.channel.Settings, schema_hook=custom_type_schema)


def custom_type_schema(kind: type) -> dict[str, object]:
    """Return the JSON Schema of a type that only the router knows."""
    if kind is Secret:
        return {"type": "string", "writeOnly": True}
    raise NotImplementedError(kind)


def _decode_secret(kind: type, value: object) -> object:
    """Return a value of a type that only the router knows."""
    if kind is not Secret:
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        raise TypeError("expected a text; put it in quotes")
    return Secret(value)


def _find_secrets(kind: type[msgspec.Struct], raw: Mapping[str, object]) -> Iterator[str]:
    """Yield the texts given for secrets: a plugin's own complaint may quote them."""
    for field in fields(kind):
        value = raw.get(field.encode_name)
        nested = _find_struct(field.type)
        if nested is not None and isinstance(value, Mapping):
            yield from _find_secrets(nested, value)
        elif _is_secret(field.type):
            yield from _texts(value)


def _is_secret(kind: TypeAnnotation) -> bool:
    return any(part is Secret or any(map(_is_secret, get_args(part))) for part in _parts(kind))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))


def _convert(value: object, kind: TypeAnnotation) -> object:
    """Return a value as a type; texts may stand for numbers, for `${env:…}` gives texts."""
    return msgspec.convert(value, kind, dec_hook=_decode_secret, strict=False)


def _check(
    kind: type[msgspec.Struct], raw: object, path: tuple[str, ...]
) -> Iterator[SettingsFault]:
    """Yield every fault of a mapping; msgspec itself stops at the first."""
    if not isinstance(raw, Mapping):
        yield SettingsFault(path, "expected settings, one to a line")
        return
    fields_by_name = {field.encode_name: field for field in fields(kind)}
    before = 0
    for fault in _check_fields(fields_by_name, raw, path):
        before += 1
        yield fault
    if before == 0:
        yield from _check_value(raw, kind, path, fields=fields_by_name)


def _check_fields(
    fields_by_name: Mapping[str, FieldInfo], raw: Mapping[str, object], path: tuple[str, ...]
) -> Iterator[SettingsFault]:
    for key in raw:
        if key not in fields_by_name:
            hint = suggest(str(key), fields_by_name) or f"it takes {', '.join(fields_by_name)}"
            yield SettingsFault((*path, str(key)), f"`{key}` is not a setting", hint, "key")
    for name, field in fields_by_name.items():
        place = (*path, name)
        if name not in raw:
            if field.required:
                yield SettingsFault(place, f"`{name}` is missing", _describe(field))
        elif (nested := _find_struct(field.type)) and isinstance(raw[name], Mapping):
            yield from _check(nested, raw[name], place)
        else:
            yield from _check_value(raw[name], field.type, place, hint=_describe(field))


def _check_value(
    value: object,
    kind: TypeAnnotation,
    path: tuple[str, ...],
    *,
    fields: Mapping[str, FieldInfo] | None = None,
    hint: str = "",
) -> Iterator[SettingsFault]:
    """Yield what msgspec says against a value, if anything."""
    try:
        _convert(value, kind)
    except msgspec.ValidationError as error:
        message = str(error)
        place = _ERROR_PATH.search(message)
        if place:
            message = message[: place.start()]
            path = (*path, *re.findall(r"\w+", place["path"]))
        named = _FIELD_MESSAGE.fullmatch(message)
        if named and named["field"] in (fields or {}):
            path, message = (*path, named["field"]), named["message"]
        yield SettingsFault(path, _reword_message(message), _suggest_choice(value, kind) or hint)


def _reword_message(message: str) -> str:
    """Return msgspec's message without its types and, for a choice, without the value."""
    if message.startswith("Invalid enum value"):
        return "none of the choices"
    if not message.startswith("Expected"):
        return message
    message = _TYPES_IN_MESSAGE.sub(_name_types, message)
    return f"e{message[1:]}"


def _name_types(match: re.Match[str]) -> str:
    return " or ".join(_TYPE_NAMES.get(name, name) for name in match[1].split(" | "))


def _suggest_choice(value: object, kind: TypeAnnotation) -> str:
    """Return what a choice could be."""
    choices = [str(choice) for part in _parts(kind) for choice in _choices(part)]
    if not choices:
        return ""
    return suggest(str(value), choices) or f"one of {', '.join(choices)}"


def _choices(kind: TypeAnnotation) -> Sequence[object]:
    origin: object = get_origin(kind)
    return get_args(kind) if origin is Literal else ()


def _describe(field: FieldInfo) -> str:
    """Return what a field is for, from its description."""
    origin: object = get_origin(field.type)
    metas = get_args(field.type)[1:] if origin is Annotated else ()
    return next((meta.description for meta in metas if getattr(meta, "description", None)), "")


def _find_struct(kind: TypeAnnotation) -> type[msgspec.Struct] | None:
    """Return the one Struct among what a value may be, if there is one."""
    structs = [p for p in _parts(kind) if isinstance(p, type) and issubclass(p, msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


def _parts(kind: TypeAnnotation) -> Iterator[Any]:
    """Yield the members of a type, annotations and unions taken apart."""
    origin: object = get_origin(kind)
    if origin is Annotated:
        yield from _parts(get_args(kind)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(kind):
            yield from _parts(member)
    else:
        yield kind
