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
from router.registry.discovery import Candidate, find
from router.registry.inspection import inspect
from router.registry.plugin import Plugin, Registry
from router.registry.schema import PluginSchema


class _Loaded(Struct, frozen=True, kw_only=True):
    """A candidate, what it offers, and what is wrong with it."""

    candidate: Candidate
    channels: tuple[type[Channel[Any]], ...] = ()
    error: str = ""


def load_plugins(directory: Path | None = None) -> Registry:
    """Load built-in, installed and drop-in plugins; a broken one is listed and left out.

    `directory` holds the drop-ins.
    """
    loaded = _settle_names([_load(candidate) for candidate in find(directory)])
    winners = dict(_choose(loaded))
    return Registry(
        plugins=tuple(_list(one, winners) for one in loaded),
        schemas={name: PluginSchema(channel) for name, channel in sorted(winners.items())},
    )


def _load(candidate: Candidate) -> _Loaded:
    try:
        channels = _collect(candidate.load())
        for channel in channels:
            inspect(channel)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may fail in any way, and takes nobody down
        return _Loaded(candidate=candidate, error=candidate.explain(error))
    return _Loaded(candidate=candidate, channels=channels)


def _collect(module: object) -> tuple[type[Channel[Any]], ...]:
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


def _settle_names(loaded: Sequence[_Loaded]) -> list[_Loaded]:
    """Return the plugins; those of one rank that offer the same name are errors, both."""
    rivals: dict[tuple[str, bool], list[Candidate]] = defaultdict(list)
    for one in loaded:
        for channel in one.channels:
            rivals[channel.name, one.candidate.dropped_in].append(one.candidate)
    return [_refuse_rivals(one, rivals) for one in loaded]


def _refuse_rivals(one: _Loaded, rivals: dict[tuple[str, bool], list[Candidate]]) -> _Loaded:
    for channel in one.channels:
        offers = rivals[channel.name, one.candidate.dropped_in]
        others = [rival.title for rival in offers if rival is not one.candidate]
        if len(offers) > 1:
            who = " and ".join(others) or "itself once more"
            return msgspec.structs.replace(
                one,
                channels=(),
                error=f"offers the channel `{channel.name}`, and so does {who}: remove one of them",
            )
    return one


def _choose(loaded: Sequence[_Loaded]) -> Iterator[tuple[str, type[Channel[Any]]]]:
    """Yield channels by name, drop-ins last, for they beat what is installed."""
    for one in sorted(loaded, key=lambda one: one.candidate.dropped_in):
        for channel in one.channels:
            yield channel.name, channel


def _list(one: _Loaded, winners: dict[str, type[Channel[Any]]]) -> Plugin:
    kept = tuple(c.name for c in one.channels if winners[c.name] is c)
    return Plugin(
        name=one.candidate.name,
        source=one.candidate.source,
        channels=kept,
        replaced=tuple(c.name for c in one.channels if winners[c.name] is not c),
        version=one.candidate.version,
        error=one.error,
    )
