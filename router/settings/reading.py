"""Reading the environment: every problem at once, each with its remedy."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from router.core.errors import nearest
from router.settings.environment import PREFIX, Environment
from router.settings.proxies import read_proxies
from router.settings.variable import EnvironmentVariable, InvalidText, variables


class EnvironmentInvalid(Exception):  # noqa: N818 - it names a state of the environment
    """The environment cannot be used; `problems` names every variable at fault, and the remedy."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the problems apart, for one line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


def read_environment(environ: Mapping[str, str]) -> tuple[Environment, tuple[str, ...]]:
    """Return the settings, and warnings about variables that are not read.

    An empty variable counts as absent. Raises `EnvironmentInvalid` with every problem at once.
    """
    settings = variables()
    injected = [name for name, text in environ.items() if _is_injected(name, text)]
    given = {name: text for name, text in environ.items() if text and name not in injected}
    problems: list[str] = []
    values: dict[str, object] = {}
    for variable in settings:
        try:
            if text := _text(variable, given):
                values[variable.field] = _value(variable, text)
        except InvalidText as refusal:
            problems += [f"{variable.name}: {message}" for message in refusal.messages]
    problems += [
        *_unknown_variables(settings, given),
        *_contradictory_variables(given),
        *_empty_guards(environ),
    ]
    if problems:
        raise EnvironmentInvalid(tuple(problems))
    proxies = read_proxies(environ)
    environment = msgspec.structs.replace(Environment(), proxies=proxies, **values)
    return environment, (*_unused_variables(injected, given), *_weak_secrets(environment))


def _text(variable: EnvironmentVariable, environ: Mapping[str, str]) -> str:
    path = environ.get(f"{variable.name}_FILE", "") if variable.secret else ""
    if not path:
        return environ.get(variable.name, "")
    if variable.name in environ:
        raise InvalidText(f"is set twice; unset it or {variable.name}_FILE")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        shown = path if "/" in path else "…"  # it may be the secret itself
        raise InvalidText(f"its file {shown} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidText(f"its file {path} is not UTF-8 text") from None
    if not text.strip():
        raise InvalidText(f"its file {path} is empty")
    return text.removesuffix("\n").removesuffix("\r")


def _value(variable: EnvironmentVariable, text: str) -> object:
    try:
        return variable.read(text)
    except (ValueError, KeyError):
        raise InvalidText(f"must be {variable.takes}, not `{text}`") from None


def _unknown_variables(
    variables: tuple[EnvironmentVariable, ...], environ: Mapping[str, str]
) -> Iterator[str]:
    names = [v.name for v in variables] + [f"{v.name}_FILE" for v in variables if v.secret]
    for name in sorted(environ.keys() - names):
        if name.startswith(PREFIX):
            near = nearest(name[len(PREFIX) :], [n[len(PREFIX) :] for n in names])
            hint = f"did you mean {PREFIX}{near}?" if near else f"known are {', '.join(names)}"
            yield f"{name}: is not a setting of the router; {hint}"


def _contradictory_variables(environ: Mapping[str, str]) -> Iterator[str]:
    user, password, previous, secret, header = (
        f"{PREFIX}WEBHOOK_{word}"
        for word in ("USER", "PASSWORD", "PASSWORD_PREVIOUS", "SECRET", "SIGNATURE_HEADER")
    )
    named = {name.removesuffix("_FILE") for name in environ}
    pairs = ((user, password), (password, user), (previous, password), (header, secret))
    for first, second in pairs:
        if first in named and second not in named:
            yield f"{first}: needs {second}; set it too"
    if ":" in environ.get(user, ""):
        yield f"{user}: must not contain a colon, which ends the user name in Basic Auth"


def _empty_guards(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what must not be empty, lest a guard that somebody forgot to fill lets all pass."""
    name = f"{PREFIX}ONLY_RECIPIENTS"
    if environ.get(name) == "":
        yield f"{name}: is empty; list the uids, or unset it to send to everybody"


def _is_injected(name: str, text: str) -> bool:
    """Return whether a cluster made the variable, for a service whose name begins with router.

    Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return bool(_LINK.match(name) or (_LINK_PORT.match(name) and _LINK_ADDRESS.match(text)))


_LINK = re.compile(r"ROUTER_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_[A-Z]+(_[A-Z]+)?)$")
_LINK_PORT = re.compile(r"ROUTER_(\w+_)?PORT$")
_LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def _unused_variables(injected: list[str], environ: Mapping[str, str]) -> Iterator[str]:
    if injected:
        yield (
            f"{', '.join(sorted(injected))}: set by Kubernetes for a service, and ignored; "
            "`enableServiceLinks: false` in the spec of the pod prevents them"
        )
    for old, new in _RENAMED.items():
        if old in environ:
            yield f"{old}: is ignored; set {new} instead"


def _weak_secrets(environment: Environment) -> Iterator[str]:
    secret = environment.webhook_secret
    if secret is not None and len(secret.reveal()) < _MIN_LENGTH:
        yield (
            f"ROUTER_WEBHOOK_SECRET: is shorter than {_MIN_LENGTH} characters: one signed body "
            "is enough to guess it; generate one with `openssl rand -hex 24`"
        )
    for number, key in enumerate(environment.api_keys, 1):
        if len(key.key.reveal()) < _MIN_LENGTH:
            yield (
                f"ROUTER_API_KEYS: the key of entry {number} is shorter than {_MIN_LENGTH} "
                "characters; generate one with `openssl rand -hex 24`"
            )


_MIN_LENGTH = 16
_RENAMED = {
    "WEBHOOK_USER": "ROUTER_WEBHOOK_USER",
    "WEBHOOK_PASS": "ROUTER_WEBHOOK_PASSWORD",
    "PORT": "ROUTER_PORT",
}
