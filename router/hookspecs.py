"""Every hook a plugin can implement."""

from collections.abc import Callable
from typing import Any

import pluggy

from router.channel import Channel

PROJECT = "router"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Register = Callable[[type[Channel[Any]]], None]
"""Offers a channel class to the router."""


@hookspec
def register_channels(register: Register) -> None:
    """Offer channels. Called once, when the router has loaded every plugin."""
