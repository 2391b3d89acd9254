"""Whom a service of Apprise reaches, by what Apprise publishes about its URLs."""

from collections.abc import Iterator
from typing import Any, Literal

from apprise.plugins.base import NotifyBase

Build = tuple[type[NotifyBase], dict[str, Any]]
"""An Apprise class and the keyword arguments it is made with."""

TargetKind = Literal["phone", "phone or other", "mailbox", "other"]
"""What the addresses of a service are."""


def find_target_kind(plugin: type[NotifyBase]) -> TargetKind:
    """Return what the addresses of a service are.

    Its tokens say so by their names; where it has none for a single target, the name of the list
    does, as "Target Emails".
    """
    names = {
        name
        for name, about in plugin.template_tokens.items()
        if about.get("map_to") == "targets" and name not in {"targets", "short_code"}
    }
    listed = plugin.template_tokens.get("targets", {})
    names = names or {str(listed.get("name", "")).lower()}
    phones = {name for name in names if "phone" in name or name == "target_sms"}
    if phones:
        return "phone" if phones == names else "phone or other"
    return "mailbox" if all("email" in name for name in names) else "other"


def list_tokens(kind: type[NotifyBase]) -> Iterator[tuple[str, str]]:
    """Yield the tokens of a service's templates that stand for lists, with their arguments."""
    for name, about in kind.template_tokens.items():
        if str(about.get("type", "")).startswith("list"):
            yield name, str(about.get("map_to", name))


def read_targets(build: Build) -> list[str]:
    """Return the targets that stand in a URL, before the plugin makes something of them."""
    kind, options = build
    values = [options.get(argument) for _, argument in list_tokens(kind)]
    lists = [[value] if isinstance(value, str) else value or [] for value in values]
    return [text for items in lists for text in items if isinstance(text, str) and text.strip()]
