"""Find plugins, load each by itself, and settle which offers what."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pluggy
from msgspec import Struct

from router import hookspecs
from router.channel import Channel
from router.registry.discovery import PluginCandidate, find_plugins
from router.registry.inspection import inspect_channel
from router.registry.plugin import Plugin, PluginRegistry
from router.registry.schema import PluginSchema


class _LoadedPlugin(Struct, frozen=True, kw_only=True):
    """A candidate, what it offers, and what is wrong with it."""

    candidate: PluginCandidate
    channels: tuple[type[Channel[Any]], ...] = ()
    error: str = ""


def load_plugins(directory: Path | None = None) -> PluginRegistry:
    """Load built-in, installed and drop-in plugins; a broken one is listed and left out.

    `directory` holds the drop-ins.
    """
    loaded = _reject_duplicate_names([_load(candidate) for candidate in find_plugins(directory)])
    winners = dict(_choose_channels(loaded))
    return PluginRegistry(
        plugins=tuple(_to_plugin(plugin, winners) for plugin in loaded),
        schemas={name: PluginSchema(channel) for name, channel in sorted(winners.items())},
    )


def _load(candidate: PluginCandidate) -> _LoadedPlugin:
    try:
        channels = _collect_channels(candidate.load())
        for channel in channels:
            inspect_channel(channel)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may fail in any way, and takes nobody down
        return _LoadedPlugin(candidate=candidate, error=candidate.explain(error))
    return _LoadedPlugin(candidate=candidate, channels=channels)


def _collect_channels(module: object) -> tuple[type[Channel[Any]], ...]:
    """Return what a plugin registers; raises when it implements a hook that does not exist."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise LookupError("implements no hook; see `register_channels` in router.hookspecs")
    channels: list[type[Channel[Any]]] = []
    manager.hook.register_channels(register=channels.append)
    if not channels:
        raise LookupError("registers no channel")
    return tuple(channels)


def _reject_duplicate_names(loaded: Sequence[_LoadedPlugin]) -> list[_LoadedPlugin]:
    """Return the plugins; those of one rank that offer the same name are errors, both."""
    rivals: dict[tuple[str, bool], list[PluginCandidate]] = defaultdict(list)
    for plugin in loaded:
        for channel in plugin.channels:
            rivals[channel.name, plugin.candidate.is_drop_in].append(plugin.candidate)
    return [_reject_rivals(plugin, rivals) for plugin in loaded]


def _reject_rivals(
    plugin: _LoadedPlugin, rivals: dict[tuple[str, bool], list[PluginCandidate]]
) -> _LoadedPlugin:
    for channel in plugin.channels:
        offers = rivals[channel.name, plugin.candidate.is_drop_in]
        others = [rival.title for rival in offers if rival is not plugin.candidate]
        if len(offers) > 1:
            who = " and ".join(others) or "itself once more"
            return msgspec.structs.replace(
                plugin,
                channels=(),
                error=f"offers the channel `{channel.name}`, and so does {who}: remove one of them",
            )
    return plugin


def _choose_channels(loaded: Sequence[_LoadedPlugin]) -> Iterator[tuple[str, type[Channel[Any]]]]:
    """Yield channels by name, drop-ins last, for they beat what is installed."""
    for plugin in sorted(loaded, key=lambda plugin: plugin.candidate.is_drop_in):
        for channel in plugin.channels:
            yield channel.name, channel


def _to_plugin(plugin: _LoadedPlugin, winners: dict[str, type[Channel[Any]]]) -> Plugin:
    kept = tuple(c.name for c in plugin.channels if winners[c.name] is c)
    return Plugin(
        name=plugin.candidate.name,
        source=plugin.candidate.source,
        channels=kept,
        replaced=tuple(c.name for c in plugin.channels if winners[c.name] is not c),
        version=plugin.candidate.version,
        error=plugin.error,
    )
