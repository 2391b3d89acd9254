"""URLs of every service that Apprise has enabled, out of what Apprise publishes about itself.

`apprise.plugins.details` gives a service's URL templates and, for each token in them, its type,
prefix, regular expression and choices.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
from apprise import Apprise
from apprise.manager_plugins import NotificationManager
from apprise.plugins import details as publish

from tests import TESTDATA

SEEDS: Mapping[str, Mapping[str, str]] = msgspec.json.decode(
    (TESTDATA / "apprise_tokens.json").read_bytes()
)
"""Values of tokens whose form Apprise does not publish, by service and token."""

HEX = "0123456789abcdef"
CANDIDATES = (
    "abcdefghij",
    "12125550123",
    "12345678901234567890",
    HEX * 2,
    "abcdefghijklmnopqrstuvwxy",
    "0123456789abcdefghijklmnopqrstuvwxyz"[:36],
    "abcdefghijklmnopqrst" * 2,
    "8b799edf-6f98-4d3a-9be7-2862fb4e5752",
    f"AC{HEX * 2}",
    "abcdefghijklmnopqrst" * 5 + "==",
    "abcdefghijklmnopqrst" * 5,
)
"""Texts of the forms that tokens have, tried in this order."""

EMAIL, PHONE, HOST = "router@example.com", "12125550123", "host.example.com"
ODD = ("#general", "@anna", "two words", "50% off", "a%20b", "+12125550144", "anna@example.com")
"""Targets that hold what URLs give a meaning to."""

LISTS = frozenset({"targets", "events"})
"""The tokens that stand for whom a message goes to."""

Service: TypeAlias = Any
"""A plugin class of Apprise; the hash of its instances hides the class's own from mypy."""


class Case(msgspec.Struct, frozen=True):
    """A URL to send to; with `address`, it holds `{to}` in the place of that address."""

    service: str
    url: str
    address: str = ""
    title: str = "Ben & Jerry"
    body: str = "Lunch *today*? <now> 1 < 2 :smile:\nBring 50% of #it, @anna."


@cache
def details(plugin: Service) -> dict[str, Any]:
    """Return what Apprise publishes about a service."""
    found: dict[str, Any] = publish(plugin)
    return found


def services() -> list[Service]:
    """Return the services that Apprise has enabled, by name."""
    manager = NotificationManager()
    manager.load_modules()
    found = {plugin for plugin in manager.plugins() if plugin.enabled}
    return sorted(found, key=lambda plugin: plugin.__name__)


def name(plugin: Service) -> str:
    """Return what a service is called here."""
    return str(plugin.__name__).removeprefix("Notify")


def fixed_cases() -> Iterator[Case]:
    """Yield each template of each service; one has its targets written in every way."""
    for plugin in services():
        thorough = _find_thorough(plugin)
        for template, values in _filled_templates(plugin):
            place = _find_place(template)
            if place is None:
                yield Case(name(plugin), _join(template, values))
                continue
            written = [*_write_targets(plugin)] if template == thorough else [_samples(plugin)[0]]
            for text in written:
                yield Case(name(plugin), _join(template, values | {place: text}))


def option_cases() -> Iterator[Case]:
    """Yield one URL of each service with the options that every service takes."""
    for plugin in services():
        thorough = _find_thorough(plugin)
        values = dict(_filled_templates(plugin)).get(thorough)
        if values is None:
            continue
        one = dict.fromkeys(LISTS, _samples(plugin)[0])
        url = _join(thorough, values | one)
        join = "&" if "?" in url else "?"
        for option in ("emojis=yes", "format=markdown", "format=html", "format=text"):
            yield Case(name(plugin), f"{url}{join}{option}")
        for option in ("overflow=split", "overflow=truncate", "overflow=upstream"):
            yield Case(name(plugin), f"{url}{join}{option}", body=_write_long(url))
        yield Case(name(plugin), url, title="")


def _write_long(url: str) -> str:
    """Return a body that is longer than a service takes."""
    plugin = Apprise.instantiate(url)
    size = 1000 if plugin is None else min(8_000, plugin.body_maxlen * 2 + 100)
    line = "A line of a longer message.\n"
    return line * (size // len(line) + 1)


def open_cases() -> Iterator[Case]:
    """Yield each template with a place for a recipient; one gets addresses of every form."""
    for plugin in services():
        thorough = _find_thorough(plugin)
        for template, values in _filled_templates(plugin):
            place = _find_place(template)
            if place is None:
                continue
            url = _join(template, values | {place: "{to}"})
            samples = _samples(plugin, quoted=False)
            addresses = (*samples, *ODD) if template == thorough else samples[:1]
            for address in dict.fromkeys(addresses):
                yield Case(name(plugin), url, address=address)


def _find_thorough(plugin: Service) -> str:
    """Return the template of a service that is tried most thoroughly: one with targets."""
    found = [template for template, _ in _filled_templates(plugin)]
    return next(filter(_find_place, found), (found or [""])[0])


def _find_place(template: str) -> str | None:
    return next(iter(LISTS & set(_tokens(template))), None)


@cache
def _filled_templates(plugin: Service) -> tuple[tuple[str, dict[str, str]], ...]:
    """Return the templates that a sample was found for, with the values of their tokens."""
    found = []
    for template in dict.fromkeys(details(plugin)["templates"]):
        for values in _guesses(plugin, template):
            one = dict.fromkeys(LISTS, _samples(plugin)[0])
            if Apprise.instantiate(_join(template, values | one)) is not None:
                found.append((template, values))
                break
    return tuple(found)


def _guesses(plugin: Service, template: str) -> Iterator[dict[str, str]]:
    """Yield values of the tokens, the most likely first."""
    tokens = details(plugin)["tokens"]
    for candidate in CANDIDATES:
        yield {
            token: _guess(name(plugin), token, tokens.get(token, {}), candidate)
            for token in _tokens(template)
            if token not in LISTS
        }


def _guess(  # noqa: PLR0911 - a case for each kind of token
    service: str, token: str, about: Mapping[str, Any], candidate: str
) -> str:
    seeds = SEEDS.get(service, {})
    if token in seeds:
        return seeds[token]
    if token == "schema":
        return str(about["values"][0])
    if "values" in about:
        return str(about.get("default") or about["values"][0])
    if about.get("type") == "email" or "email" in token:
        return EMAIL
    if token == "port":
        return "8080"
    if about.get("type") == "int":
        return str(about.get("min") or 7)
    if "regex" in about:
        return _match(about, candidate)
    if token == "host":
        return HOST
    if token == "path":
        return "/path/"
    return PHONE if "phone" in token else candidate


def _match(about: Mapping[str, Any], candidate: str) -> str:
    """Return the first of the texts that a token's own expression takes."""
    expression, flags = about["regex"]
    pattern = re.compile(expression, re.IGNORECASE if flags else 0)
    return next((text for text in (candidate, *CANDIDATES) if pattern.match(text)), candidate)


def _samples(plugin: Service, *, quoted: bool = True) -> list[str]:
    """Return targets of the forms that a service publishes."""
    tokens = details(plugin)["tokens"]
    seeds = SEEDS.get(name(plugin), {})
    found = []
    for token in LISTS & set(tokens):
        for member in sorted(tokens[token].get("group", ())):
            about = tokens[member]
            sample = seeds.get(member) or _guess(name(plugin), member, about, CANDIDATES[0])
            prefix = about.get("prefix") or ""
            found.append(sample if sample.startswith(prefix) else f"{prefix}{sample}")
    found = found or [seeds.get("targets", CANDIDATES[0])]
    return [quote(text, safe="@+") for text in found] if quoted else found


def _write_targets(plugin: Service) -> Iterator[str]:
    """Yield texts in the place of the targets: of each form, odd ones, two at once, and none."""
    samples = _samples(plugin, quoted=False)
    written = [
        form
        for text in (*samples, *ODD)
        for form in (text, quote(text, safe=""), quote(text, safe="@+"))
    ]
    two = "/".join(quote(text, safe="@+") for text in (samples[0], samples[0] + "2"))
    yield from dict.fromkeys((*written, two, ""))


def _tokens(template: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", template)


def _join(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)
