"""The variables: what each is called and takes, and how its text is read."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from router.channel import Secret
from router.settings.environment import (
    PREFIX,
    AllowedTarget,
    ApiKey,
    Environment,
    HeaderName,
    LogFormat,
    LogLevel,
    Scope,
    UidPattern,
)


class EnvironmentVariable(NamedTuple):
    """A variable as the documentation lists it; one that is `secret` may come from a file."""

    name: str
    takes: str
    default: object
    description: str
    secret: bool
    field: str
    read: Callable[[str], object]


class InvalidText(Exception):  # noqa: N818 - it names what became of a text
    """A text that cannot be taken, with one message for everything wrong with it."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


def variables() -> tuple[EnvironmentVariable, ...]:
    """Return every variable of the router's own, in the order of `Environment`."""
    hints = get_type_hints(Environment, include_extras=True)
    return tuple(
        _variable(field.name, hints[field.name], field.default)
        for field in msgspec.structs.fields(Environment)
        if get_origin(hints[field.name]) is Annotated
    )


def _variable(field: str, hint: object, default: object) -> EnvironmentVariable:
    kind, description = get_args(hint)
    bare = next((part for part in get_args(kind) if type(None) in get_args(kind)), kind)
    takes, read = _KINDS[bare]
    return EnvironmentVariable(
        name=PREFIX + field.upper(),
        takes=takes,
        default=default,
        description=description,
        secret=bare in {Secret, tuple[ApiKey, ...]},
        field=field,
        read=read,
    )


def _choose_word(text: str, words: object) -> str:
    if text.lower() not in get_args(words):
        raise ValueError(text)
    return text.lower()


def _read_header_name(text: str) -> HeaderName:
    """Return the name; `Authorization` is taken by Basic Auth."""
    name = text.lower()
    if not _TOKEN.fullmatch(name) or name == "authorization":
        raise ValueError(text)
    return HeaderName(name)


def _read_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Return the keys; messages count the entries, for any part may be a misplaced key."""
    keys: list[ApiKey] = []
    messages: list[str] = []
    for number, entry in enumerate(text.split(","), 1):
        try:
            keys.append(_read_api_key(entry.strip(), {key.name for key in keys}))
        except InvalidText as refusal:
            messages.append(f"entry {number} {refusal}")
    if messages:
        raise InvalidText(*messages)
    return tuple(keys)


def _read_api_key(entry: str, taken: set[str]) -> ApiKey:
    name, scope, key = [*entry.split(":", 2), "", ""][:3]
    if not (name and scope and key):
        raise InvalidText("must be written `name:scope:key`")
    if name in taken:
        raise InvalidText("has the same name as an earlier entry")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InvalidText("must have a key of printable ASCII characters without spaces")
    if scope not in get_args(Scope):
        raise InvalidText(f"must have {' or '.join(get_args(Scope))} as its second part")
    return ApiKey(name=name, scope=msgspec.convert(scope, Scope), key=Secret(key))


def _read_targets(text: str) -> tuple[AllowedTarget, ...]:
    """Return host names and networks; a single address is a network of one."""
    targets: list[AllowedTarget] = []
    messages: list[str] = []
    for entry in map(str.strip, text.split(",")):
        try:
            targets.append(entry.lower() if _NAME.fullmatch(entry) else ip_network(entry))
        except ValueError:
            messages.append(f"`{entry}` is neither a host nor a network such as 10.2.0.0/16")
    if messages:
        raise InvalidText(*messages)
    return tuple(targets)


def _read_uid_patterns(text: str) -> tuple[UidPattern, ...]:
    """Return uids and patterns of them; in a file each has its line, and `#` begins a comment."""
    entries = text.split(",")
    if text.startswith("@"):
        lines = _read_list(Path(text[1:])).splitlines()
        entries = [line for line in lines if not line.lstrip().startswith("#")]
    patterns = [entry.strip() for entry in entries if entry.strip()]
    if not patterns:
        raise InvalidText("contains no uid; list the uids, or unset it to send to everybody")
    if spaced := [pattern for pattern in patterns if re.search(r"\s", pattern)]:
        raise InvalidText(
            *(f"`{pattern}` contains a space, which a uid cannot" for pattern in spaced)
        )
    return tuple(map(UidPattern, patterns))


def _read_list(path: Path) -> str:
    """Return the text of a regular file; raises `InvalidText` where there is none."""
    try:
        if not path.is_file():
            raise InvalidText(f"its file {path} is not a regular file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidText(f"its file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidText(f"its file {path} is not UTF-8 text") from None


_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
"""Source: RFC 9110, section 5.6.2."""
_PORT = Annotated[int, Meta(ge=0, le=65535)]
_SWITCH = {"true": True, "1": True, "false": False, "0": False}
_KINDS: dict[object, tuple[str, Callable[[str], object]]] = {
    str: ("a text", str),
    Path: ("a path", Path),
    int: ("a number from 0 to 65535", lambda text: msgspec.convert(text, _PORT, strict=False)),
    bool: ("true or false", lambda text: _SWITCH[text.lower()]),
    LogLevel: ("debug, info, warning or error", lambda text: _choose_word(text, LogLevel)),
    LogFormat: ("text or json", lambda text: _choose_word(text, LogFormat)),
    HeaderName: ("the name of an HTTP header other than Authorization", _read_header_name),
    Secret: ("a text", Secret),
    tuple[AllowedTarget, ...]: ("host names and networks, comma separated", _read_targets),
    tuple[UidPattern, ...]: ("uids, comma separated, or `@/path/of/a/file`", _read_uid_patterns),
    tuple[ApiKey, ...]: ("`name:scope:key`, comma separated", _read_api_keys),
}
