"""Find, load and list plugins, and open the configured channels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from router.channel import Channel, Transport
from router.core.ruleset import ChannelSpec


class Plugin(Struct, frozen=True, kw_only=True):
    """A plugin as it was found; with an `error` it is left out.

    `source` is `built in`, the file's path, or the distribution's name and entry point.
    """

    name: str
    source: str
    channels: tuple[str, ...] = ()
    version: str = ""
    error: str = ""


class PluginSchema:
    """A channel class as a rules file sees it (implements `core.ruleset.ChannelSchema`)."""

    name: str
    address_kind: str

    def __init__(self, channel: type[Channel[Any]]) -> None:
        """Stand for the channel class."""
        self.channel = channel


class Registry(Struct, frozen=True, kw_only=True):
    """Every plugin found and, by the name `plugin:` says, the channels they offer."""

    plugins: tuple[Plugin, ...]
    schemas: Mapping[str, PluginSchema]

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the broken plugins, one text each."""
        return tuple(f"{p.source}: {p.error}" for p in self.plugins if p.error)

    def open_channel(self, spec: ChannelSpec, transport: Transport) -> Channel[Any]:
        """Return the channel of a rules file, opened."""
        raise NotImplementedError


def load_plugins(directory: Path | None = None) -> Registry:
    """Load built-in, installed and drop-in plugins; a broken one is listed and left out."""
    raise NotImplementedError
