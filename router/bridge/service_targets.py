"""The targets of a service, by the URL templates that Apprise publishes."""

from collections.abc import Iterator
from typing import Any, Literal

from apprise.plugins.base import NotifyBase

Build = tuple[type[NotifyBase], dict[str, Any]]
"""An Apprise class and its keyword arguments."""

TargetKind = Literal["phone", "phone or other", "mailbox", "other"]
"""The kind of a service's addresses."""


def find_target_kind(plugin: type[NotifyBase]) -> TargetKind:
    """Return the kind of a service's addresses.

    The names of its tokens decide; without a token for a single target, the name of the list does,
    for example "Target Emails".
    """
    names = {
        name
        for name, definition in plugin.template_tokens.items()
        if definition.get("map_to") == "targets" and name not in {"targets", "short_code"}
    }
    list_definition = plugin.template_tokens.get("targets", {})
    names = names or {str(list_definition.get("name", "")).lower()}
    phones = {name for name in names if "phone" in name or name == "target_sms"}
    if phones:
        return "phone" if phones == names else "phone or other"
    return "mailbox" if all("email" in name for name in names) else "other"


def list_tokens(kind: type[NotifyBase]) -> Iterator[tuple[str, str]]:
    """Yield the list tokens of a service's URL templates, each with its argument."""
    for name, definition in kind.template_tokens.items():
        if str(definition.get("type", "")).startswith("list"):
            yield name, str(definition.get("map_to", name))


def read_targets(build: Build) -> list[str]:
    """Return the targets as the URL writes them, before the plugin parses them."""
    kind, options = build
    values = [options.get(argument) for _, argument in list_tokens(kind)]
    lists = [[value] if isinstance(value, str) else value or [] for value in values]
    return [text for items in lists for text in items if isinstance(text, str) and text.strip()]
