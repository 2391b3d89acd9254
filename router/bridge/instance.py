"""Apprise plugins made for one message each, or kept for an address that comes again."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from apprise.manager_plugins import NotificationManager
from apprise.plugins import requirements, url_to_dict
from apprise.plugins.base import NotifyBase

from router.bridge.address import check_targets, is_host
from router.bridge.installation import install, make_asset, tell_speech
from router.core.errors import AddressError

KEPT = 512
"""Plugins kept idle; building one by URL costs more than sending through it."""

Build = tuple[type[NotifyBase], dict[str, Any]]
"""An Apprise class and the keyword arguments it is made with."""


class BuildError(ValueError):
    """No Apprise plugin can be made of what the operator wrote."""


def parse(url: str) -> Build:
    """Return the class and arguments of an Apprise URL, or raise `BuildError`.

    The URL goes through the entry that Apprise itself uses, which does more than a plugin's own
    reader: it takes `/#` for `/%23`, and it knows the URLs that services hand out.
    """
    install()
    scheme = url.partition("://")[0].strip().lower()
    known = NotificationManager()
    if scheme in known and not known[scheme].enabled:
        raise BuildError(explain_disabled(scheme, known[scheme]))
    options = url_to_dict(url)
    if not options:
        raise BuildError(
            f"the URL is none of {scheme}://"
            if scheme in known
            else f"{scheme}:// is no scheme of Apprise"
        )
    return known[options["schema"]], options


def explain_disabled(scheme: str, plugin: type[NotifyBase]) -> str:
    """Return why Apprise has disabled a plugin, and what would enable it.

    Each plugin of Apprise names the packages it imports; one that names none needs a part of
    the operating system, such as a desktop.
    """
    needs = requirements(plugin)
    packages = " ".join(f"'{package.replace(' ', '')}'" for package in needs["packages_required"])
    if packages:
        return f"{scheme}:// needs a package that is not installed; run pip install {packages}"
    details = " ".join(str(needs["details"]).split()).rstrip(".")
    return f"{scheme}:// can not work on this machine: {details}"


def make(build: Build, address: str = "") -> NotifyBase:
    """Return the plugin, ready for one send at a time.

    Raises `AddressError` when it would not reach the address and nothing else, `BuildError`
    when the arguments do not suit it.
    """
    kind, options = build
    try:
        plugin = kind(asset=make_asset(), **options)
    except Exception:  # noqa: BLE001 - a plugin may raise anything for what it does not take
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


def is_secret(build: Build, text: str) -> bool:
    """Return whether a text stands among the arguments that Apprise calls private."""
    kind, options = build
    private = {
        str(token.get("map_to", name))
        for name, token in kind.template_tokens.items()
        if token.get("private")
    }
    return any(text in str(options.get(name, "")) for name in private)


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
