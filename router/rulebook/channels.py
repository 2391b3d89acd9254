"""Channels opened for a ruleset: all of them or none, those that stay the same left open."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from router.channel import Channel
from router.core.errors import Problem
from router.core.rules.ruleset import ChannelSpec
from router.telemetry import describe_exception

OpenChannel = Callable[[ChannelSpec], Channel[Any]]
Opened = Mapping[str, tuple[ChannelSpec, Channel[Any]]]
"""Open channels by name, each with what the rules say of it."""

CLOSE_TIMEOUT_S = 5.0
"""Seconds that a channel may take to close."""

DRAIN_MARGIN_S = 5.0
"""Seconds that a send may take beyond its channel's `timeout`."""

_log = structlog.get_logger(__name__)


async def open_channels(
    specs: Iterable[ChannelSpec],
    before: Opened,
    open_channel: OpenChannel,
    close_unused: Callable[[str, Channel[Any]], None],
) -> Opened | Problem:
    """Return the channels opened, or what is wrong with the first that cannot be.

    One of `before` that is to be the same again stays open. Those opened for nothing go to
    `close_unused`. The event loop takes a turn between two of them: each costs up to a
    millisecond, and there may be hundreds.
    """
    opened: dict[str, tuple[ChannelSpec, Channel[Any]]] = {}
    is_complete = False
    try:
        for spec in specs:
            old = before.get(spec.name)
            if old is not None and _same(old[0], spec):
                opened[spec.name] = (spec, old[1])
                continue
            await asyncio.sleep(0)
            try:
                opened[spec.name] = (spec, open_channel(spec))
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                return _log_failure(spec, error)
        is_complete = True
        return opened
    finally:
        if not is_complete:
            for name, channel in closed_channels(opened, before):
                close_unused(name, channel)


def closed_channels(before: Opened, after: Opened) -> list[tuple[str, Channel[Any]]]:
    """Return the channels that are open in one set and not in the other, with their names."""
    staying = {id(channel) for _, channel in after.values()}
    return [(name, channel) for name, (_, channel) in before.items() if id(channel) not in staying]


async def close_after_drain(channel: Channel[Any], stopping: asyncio.Event) -> None:
    """Close a replaced channel once the sends it had begun must be over, or at once to stop."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), channel.settings.timeout + DRAIN_MARGIN_S)
    await close(channel)


async def close(channel: Channel[Any]) -> None:
    """Close a channel, in a bounded time; what its plugin raises is logged."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await channel.aclose()
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
        _log.warning("channel close failed", channel=channel.name, **describe_exception(error))


def _same(left: ChannelSpec, right: ChannelSpec) -> bool:
    is_alike = left.plugin == right.plugin and left.local_files == right.local_files
    return is_alike and bool(left.settings == right.settings)


def _log_failure(spec: ChannelSpec, error: Exception) -> Problem:
    return Problem(
        file=spec.place.file,
        line=spec.place.line,
        column=spec.place.column,
        message=f'channel "{spec.name}" cannot be opened: {type(error).__name__}',
        hint=f"see the settings of plugin {spec.plugin}",
    )
