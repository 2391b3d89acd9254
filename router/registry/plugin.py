"""The plugins that were found, and the channels they offer."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from router.channel import Channel, Transport
from router.core.rules.ruleset import ChannelSpec
from router.registry.schema import PluginSchema


class Plugin(Struct, frozen=True, kw_only=True):
    """A plugin as it was found; with an `error` it is left out.

    `source` is `built in`, the name of the distribution, or the path of the file or folder.
    `replaced` names the channels that a drop-in offers in its stead.
    """

    name: str
    source: str
    channels: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    version: str = ""
    error: str = ""


class PluginRegistry(Struct, frozen=True, kw_only=True):
    """Every plugin found and, by the name `plugin:` says, the channels they offer."""

    plugins: tuple[Plugin, ...]
    schemas: Mapping[str, PluginSchema]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the broken plugins, one text each."""
        return tuple(f"plugin {p.name} ({p.source}): {p.error}" for p in self.plugins if p.error)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of contact that the channels send to, sorted."""
        return tuple(sorted({schema.address_kind for schema in self.schemas.values()}))

    def open_channel(self, spec: ChannelSpec, transport: Transport) -> Channel[Any]:
        """Return the channel of a rules file, opened; raises `KeyError` for an unknown plugin."""
        channel = self.schemas[spec.plugin].channel(spec.settings, transport)
        channel.local_files = spec.local_files
        return channel
