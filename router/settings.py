"""What the environment says: the `ROUTER_*` variables, read once and typed."""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from router.channel import Secret
from router.core.errors import nearest

PREFIX = "ROUTER_"

Scope = Literal["recipients", "operator"]
"""What an API key opens: the recipients alone, or everything."""

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key of the API, written `name:scope:key`; the name is what logs show of it."""

    name: str
    scope: Scope
    key: Secret


class Environment(Struct, frozen=True, kw_only=True):
    """Every setting of the process: the field `port` is the variable `ROUTER_PORT`."""

    rules: Annotated[Path, "The rules file."] = Path("rules.yaml")
    database: Annotated[Secret, "SQLAlchemy URL of the database."] = Secret(
        "sqlite+aiosqlite:///router.db"
    )
    host: Annotated[str, "The address to listen on."] = "127.0.0.1"
    port: Annotated[int, "The port to listen on; 0 takes a free one."] = 8000
    webhook_user: Annotated[str, "User name CometChat sends to the webhook (Basic Auth)."] = ""
    webhook_password: Annotated[Secret | None, "Password CometChat sends to the webhook."] = None
    webhook_password_previous: Annotated[
        Secret | None, "Password still taken while a new one is being rolled out."
    ] = None
    webhook_secret: Annotated[Secret | None, "Key of its signature; not supported yet."] = None
    webhook_signature_header: Annotated[
        str, "Header that carries the signature; not supported yet."
    ] = "x-cometchat-signature"
    api_keys: Annotated[
        tuple[ApiKey, ...], "Keys of the API; the scope `operator` includes `recipients`."
    ] = ()
    plugins_dir: Annotated[Path | None, "A folder of your own plugins, one file a channel."] = None
    log_level: Annotated[LogLevel, "The least urgent lines to log."] = "info"
    log_format: Annotated[LogFormat, "How log lines are written."] = "text"
    sandbox: Annotated[bool, "Deliver nothing; record what would have gone out."] = False


class Variable(NamedTuple):
    """A variable as the documentation lists it; one that is `secret` may come from a file."""

    name: str
    takes: str
    default: object
    description: str
    secret: bool
    field: str
    read: Callable[[str], object]


class EnvironmentInvalid(Exception):  # noqa: N818 - it names a state of the environment
    """The environment cannot be used; `problems` names every variable at fault, and the remedy."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the problems apart, for one line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


def variables() -> tuple[Variable, ...]:
    """Return every variable, in the order of `Environment`."""
    hints = get_type_hints(Environment, include_extras=True)
    return tuple(
        _variable(field.name, hints[field.name], field.default)
        for field in msgspec.structs.fields(Environment)
    )


def read_environment(environ: Mapping[str, str]) -> tuple[Environment, tuple[str, ...]]:
    """Return the settings, and warnings about variables that are not read.

    An empty variable counts as absent. Raises `EnvironmentInvalid` with every problem at once.
    """
    known = variables()
    injected = [name for name, text in environ.items() if _is_injected(name, text)]
    given = {name: text for name, text in environ.items() if text and name not in injected}
    problems: list[str] = []
    values: dict[str, object] = {}
    for variable in known:
        try:
            if text := _text(variable, given):
                values[variable.field] = _value(variable, text)
        except _Refused as refusal:
            problems += [f"{variable.name}: {message}" for message in refusal.messages]
    problems += [*_unknown(known, given), *_contradictions(given)]
    if problems:
        raise EnvironmentInvalid(tuple(problems))
    environment = msgspec.structs.replace(Environment(), **values)
    return environment, (*_unread(injected, given), *_weak(environment))


def check_exposure(environment: Environment) -> tuple[str, ...]:
    """Return why the router must not listen as it is told; nothing when it may.

    Loopback is no protection in live mode, because proxies and tunnels end there.
    """
    guarded = bool(environment.webhook_user and environment.webhook_password)
    if not environment.sandbox:
        return () if guarded else (_UNGUARDED,)
    if is_loopback(environment.host):
        return ()
    missing = [] if guarded else ["ROUTER_WEBHOOK_USER and ROUTER_WEBHOOK_PASSWORD"]
    if not environment.api_keys:
        missing.append("ROUTER_API_KEYS")
    return tuple(
        f"ROUTER_HOST: sandbox mode without {names} listens on a loopback address only; "
        f"set {names}, or ROUTER_HOST=127.0.0.1"
        for names in missing
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _Refused(Exception):  # noqa: N818 - it names what became of a text
    """A text that cannot be taken, with one message for everything wrong with it."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


def _variable(field: str, hint: object, default: object) -> Variable:
    kind, description = get_args(hint)
    bare = next((part for part in get_args(kind) if type(None) in get_args(kind)), kind)
    takes, read = _KINDS[bare]
    return Variable(
        name=PREFIX + field.upper(),
        takes=takes,
        default=default,
        description=description,
        secret=bare in {Secret, tuple[ApiKey, ...]},
        field=field,
        read=read,
    )


def _text(variable: Variable, given: Mapping[str, str]) -> str:
    path = given.get(f"{variable.name}_FILE", "") if variable.secret else ""
    if not path:
        return given.get(variable.name, "")
    if variable.name in given:
        raise _Refused(f"is given twice; drop it or {variable.name}_FILE")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise _Refused(f"its file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _Refused(f"its file {path} is no UTF-8 text") from None
    if not text.strip():
        raise _Refused(f"its file {path} is empty")
    return text.removesuffix("\n").removesuffix("\r")


def _value(variable: Variable, text: str) -> object:
    try:
        return variable.read(text)
    except (ValueError, KeyError):
        raise _Refused(f"must be {variable.takes}, not `{text}`") from None


def _word(text: str, words: object) -> str:
    if text.lower() not in get_args(words):
        raise ValueError(text)
    return text.lower()


def _read_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Return the keys; messages count the entries, for any part may be a misplaced key."""
    keys: list[ApiKey] = []
    messages: list[str] = []
    for number, entry in enumerate(text.split(","), 1):
        try:
            keys.append(_read_api_key(entry.strip(), {key.name for key in keys}))
        except _Refused as refusal:
            messages.append(f"entry {number} {refusal}")
    if messages:
        raise _Refused(*messages)
    return tuple(keys)


def _read_api_key(entry: str, taken: set[str]) -> ApiKey:
    name, scope, key = [*entry.split(":", 2), "", ""][:3]
    if not (name and scope and key):
        raise _Refused("must be written `name:scope:key`")
    if name in taken:
        raise _Refused("has the name of an earlier one")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise _Refused("must have a key of ASCII letters, digits and signs, without spaces")
    if scope not in get_args(Scope):
        raise _Refused(f"must have {' or '.join(get_args(Scope))} as its second part")
    return ApiKey(name=name, scope=msgspec.convert(scope, Scope), key=Secret(key))


_PORT = Annotated[int, Meta(ge=0, le=65535)]
_SWITCH = {"true": True, "1": True, "false": False, "0": False}
_KINDS: dict[object, tuple[str, Callable[[str], object]]] = {
    str: ("a text", str),
    Path: ("a path", Path),
    int: ("a number from 0 to 65535", lambda text: msgspec.convert(text, _PORT, strict=False)),
    bool: ("true or false", lambda text: _SWITCH[text.lower()]),
    LogLevel: ("debug, info, warning or error", lambda text: _word(text, LogLevel)),
    LogFormat: ("text or json", lambda text: _word(text, LogFormat)),
    Secret: ("a text", Secret),
    tuple[ApiKey, ...]: ("`name:scope:key`, comma separated", _read_api_keys),
}


def _unknown(known: tuple[Variable, ...], given: Mapping[str, str]) -> Iterator[str]:
    names = [v.name for v in known] + [f"{v.name}_FILE" for v in known if v.secret]
    for name in sorted(given.keys() - names):
        if name.startswith(PREFIX):
            near = nearest(name[len(PREFIX) :], [n[len(PREFIX) :] for n in names])
            hint = f"did you mean {PREFIX}{near}?" if near else f"known are {', '.join(names)}"
            yield f"{name}: is no setting of the router; {hint}"


def _contradictions(given: Mapping[str, str]) -> Iterator[str]:
    user, password, previous, secret = (
        f"{PREFIX}WEBHOOK_{word}" for word in ("USER", "PASSWORD", "PASSWORD_PREVIOUS", "SECRET")
    )
    named = {name.removesuffix("_FILE") for name in given}
    for one, other in ((user, password), (password, user), (previous, password)):
        if one in named and other not in named:
            yield f"{one}: is given without {other}"
    if ":" in given.get(user, ""):
        yield f"{user}: must hold no colon, which ends the name in Basic Auth"
    for name in (secret, f"{PREFIX}WEBHOOK_SIGNATURE_HEADER"):
        if name in named:
            yield f"{name}: signatures are not supported yet; use {user} and {password}"


def _is_injected(name: str, text: str) -> bool:
    """Return whether a cluster made the variable, for a service whose name begins with router.

    Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return bool(_LINK.match(name) or (_LINK_PORT.match(name) and _LINK_ADDRESS.match(text)))


_LINK = re.compile(r"ROUTER_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_[A-Z]+(_[A-Z]+)?)$")
_LINK_PORT = re.compile(r"ROUTER_(\w+_)?PORT$")
_LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def _unread(injected: list[str], given: Mapping[str, str]) -> Iterator[str]:
    if injected:
        yield (
            f"{', '.join(sorted(injected))}: made by the cluster for a service, not read; "
            "`enableServiceLinks: false` in the pod's spec leaves them out"
        )
    for old, new in _RENAMED.items():
        if old in given:
            yield f"{old}: is not read; the router calls it {new}"


def _weak(environment: Environment) -> Iterator[str]:
    for number, key in enumerate(environment.api_keys, 1):
        if len(key.key.reveal()) < _LONG_ENOUGH:
            yield (
                f"ROUTER_API_KEYS: the key of entry {number} is shorter than {_LONG_ENOUGH} "
                "characters; `openssl rand -hex 24` makes a good one"
            )


_LONG_ENOUGH = 16
_RENAMED = {
    "WEBHOOK_USER": "ROUTER_WEBHOOK_USER",
    "WEBHOOK_PASS": "ROUTER_WEBHOOK_PASSWORD",
    "PORT": "ROUTER_PORT",
}
_UNGUARDED = (
    "ROUTER_WEBHOOK_USER, ROUTER_WEBHOOK_PASSWORD: live mode needs both, whatever the address; "
    "set what CometChat's custom provider sends, or ROUTER_SANDBOX=true to try the router out"
)
