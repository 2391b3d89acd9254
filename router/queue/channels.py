"""Channels as an operator sees them: what holds them, and what waits."""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from router.queue.ports import ALL_CHANNELS, Cause, ChannelHold, ChannelStats, Queue


class HoldItem(Struct, frozen=True, kw_only=True):
    """Why a channel is held: by its provider, by failures, by an operator, or by its daily cap.

    That is `suspended`, `open`, `paused` or, with all other channels, `stopped`, and `cap`.
    `host` is empty where the whole channel is held. `until` is an epoch second, None: until it is
    resumed.
    """

    cause: Cause
    host: str
    until: float | None


class ChannelItem(Struct, frozen=True, kw_only=True):
    """A channel, what holds it, and how many deliveries are open.

    `configured` is false of one that the rules in force no longer name. `due` ones go out as soon
    as the channel lets them, `waiting` ones later. Times are epoch seconds.
    """

    name: str
    configured: bool
    holds: tuple[HoldItem, ...]
    due: int
    waiting: int
    sending: int
    oldest_due_at: float | None


async def list_channels(queue: Queue, names: Iterable[str], now: float) -> tuple[ChannelItem, ...]:
    """Return the channels by name: those configured, and others that are held or have deliveries.

    `names` are those configured.
    """
    configured = set(names)
    holds = await queue.holds(now=now)
    stats = await queue.stats(now=now)
    named = {held.channel for held in holds if held.channel != ALL_CHANNELS}
    return tuple(
        _item(
            name,
            name in configured,
            [held for held in holds if held.channel in {name, ALL_CHANNELS}],
            stats.get(name, ChannelStats()),
        )
        for name in sorted({*configured, *stats, *named})
    )


async def is_stopped(queue: Queue, now: float) -> bool:
    """Return whether an operator holds all channels."""
    return any(held.channel == ALL_CHANNELS for held in await queue.holds(now=now))


async def stop_sending(queue: Queue) -> None:
    """Hold all channels, those that are configured later too, until `start_sending`."""
    await queue.pause(ALL_CHANNELS, cause="stopped", until=math.inf)


async def start_sending(queue: Queue) -> None:
    """Hold all channels no longer; those that something else holds stay held."""
    await queue.resume(ALL_CHANNELS)


def _item(
    name: str,
    configured: bool,  # noqa: FBT001 - a field of the item
    holds: Sequence[ChannelHold],
    stats: ChannelStats,
) -> ChannelItem:
    return ChannelItem(
        name=name,
        configured=configured,
        holds=tuple(
            HoldItem(
                cause=held.cause,
                host=held.host,
                until=None if math.isinf(held.until) else held.until,
            )
            for held in holds
        ),
        due=stats.due,
        waiting=stats.waiting,
        sending=stats.sending,
        oldest_due_at=stats.oldest_due_at,
    )
