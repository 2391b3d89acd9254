"""Apprise plugins made for one message each, or kept for an address that comes again."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from apprise.exception import AppriseImproperlyConfigured
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase

from router.bridge.address import AddressError, check_targets, is_host
from router.bridge.installation import install, make_asset, tell_speech

KEPT = 512
"""Plugins kept idle; building one by URL costs more than sending through it."""

Build = tuple[type[NotifyBase], dict[str, Any]]
"""An Apprise class and the keyword arguments it is made with."""


class BuildError(ValueError):
    """No Apprise plugin can be made of what the operator wrote."""


def parse(url: str) -> Build:
    """Return the class and arguments of an Apprise URL, or raise `BuildError`."""
    install()
    scheme = url.partition("://")[0].lower()
    known = NotificationManager()
    if scheme not in known:
        raise BuildError(f"{scheme}:// is no scheme of Apprise")
    plugin = known[scheme]
    if not plugin.enabled:
        raise BuildError(f"{scheme}:// needs a package that is not installed")
    options = plugin.parse_url(url)
    if not options:
        raise BuildError(f"the URL is none of {scheme}://")
    return plugin, options


def make(build: Build, address: str = "") -> NotifyBase:
    """Return the plugin, ready for one send at a time.

    Raises `AddressError` when it would not reach the address and nothing else, `BuildError`
    when the arguments do not suit it.
    """
    kind, options = build
    try:
        plugin = kind(asset=make_asset(), **options)
    except (AppriseImproperlyConfigured, TypeError, ValueError):
        if address:
            raise AddressError("the address is none of the provider's") from None
        raise BuildError("the provider's plugin does not take these settings") from None
    if not plugin.enabled:
        raise BuildError("the provider's plugin is not usable on this machine")
    plugin.request_rate_per_sec = 0
    plugin.retry = 0
    if address:
        check_targets(plugin, address, _constants(options, address))
        if tell_speech(kind) == "own" and is_host(address, f"//{plugin.host}"):  # type: ignore[arg-type]  # as in passage
            raise AddressError("the address names a host")
    return plugin


def _constants(options: Mapping[str, Any], address: str) -> Iterator[str]:
    """Yield the texts among a plugin's arguments that are not the address's."""
    for value in options.values():
        for item in value if isinstance(value, list | tuple | set) else (value,):
            if isinstance(item, str) and address not in item:
                yield item


class Instances:
    """Plugins by address; each serves one send at a time, for they keep state between hops."""

    def __init__(self, build: Callable[[str], NotifyBase]) -> None:
        """Make a plugin for an address with `build` when there is none to spare."""
        self._build = build
        self._idle: OrderedDict[str, list[NotifyBase]] = OrderedDict()

    @contextmanager
    def lend(self, address: str) -> Iterator[NotifyBase]:
        """Lend a plugin for the time of one send; one that failed is not used again."""
        spare = self._idle.pop(address, None)
        plugin = spare.pop() if spare else self._build(address)
        if spare:
            self._idle[address] = spare
        yield plugin
        self._idle.setdefault(address, []).append(plugin)
        self._idle.move_to_end(address)
        while len(self._idle) > KEPT:
            self._idle.popitem(last=False)
