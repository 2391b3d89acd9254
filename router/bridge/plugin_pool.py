"""Apprise plugins made for one message each, or kept for an address that comes again."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from apprise import PersistentStore
from apprise.manager_plugins import NotificationManager
from apprise.plugins import requirements, url_to_dict
from apprise.plugins.base import NotifyBase

from router.bridge.address import NAMES_A_HOST, check_targets, comes_from, is_host
from router.bridge.patching import (
    execution_mode,
    make_asset,
    make_shared_store_asset,
    patch_apprise,
)
from router.bridge.plugin_classes import adapt_plugin_class
from router.bridge.service_targets import Build, read_targets
from router.bridge.shared_login import CredentialKey, SharedLogins
from router.core.errors import AddressError

MAX_IDLE_PLUGINS = 512
"""Plugins kept idle; building one by URL costs more than sending through it."""


class BuildError(ValueError):
    """No Apprise plugin can be made of what the operator wrote."""


def parse_url(url: str) -> Build:
    """Return the class and arguments of an Apprise URL, or raise `BuildError`.

    The URL goes through the entry that Apprise itself uses, which does more than a plugin's own
    reader: it takes `/#` for `/%23`, and it knows the URLs that services hand out.
    """
    patch_apprise()
    scheme = url.partition("://")[0].strip().lower()
    plugins = NotificationManager()
    if scheme in plugins and not plugins[scheme].enabled:
        raise BuildError(explain_disabled(scheme, plugins[scheme]))
    options = url_to_dict(url, secure_logging=False)  # its log is off; masking takes longest
    if not options:
        raise BuildError(
            f"the URL does not begin with {scheme}://"
            if scheme in plugins
            else f"{scheme}:// is not a scheme of Apprise"
        )
    kind = plugins[options["schema"]]
    return _EXTENSIONS.get(kind.__qualname__, kind), options


_EXTENSIONS: dict[str, type[NotifyBase]] = {}


def extend_plugin_class(kind: type[NotifyBase]) -> None:
    """Make a class serve every URL of the class of Apprise's that it extends.

    A plugin calls it from its hook.
    """
    extended = next(p for p in kind.__mro__[1:] if p.__module__.startswith("apprise.plugins."))
    _EXTENSIONS[extended.__qualname__] = kind


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


def explain_refusal(plugin: type[NotifyBase]) -> str:
    """Return why a plugin does not take its arguments: they are wrong, or a package is missing."""
    wanted = requirements(plugin)["packages_recommended"]
    missing = " ".join(f"'{name}'" for name in wanted if not is_installed(name.split()[0]))
    reason = "the plugin of the provider rejects these settings"
    return f"{reason}, or needs a package: run pip install {missing}" if missing else reason


def is_installed(package: str) -> bool:
    """Return whether a package is installed in this environment."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def make_plugin(
    build: Build, address: str = "", *, stores: dict[CredentialKey, PersistentStore] | None = None
) -> NotifyBase:
    """Return the plugin, ready for one send at a time.

    One that logs in keeps what it learns in `stores`, beside others of the same credential.

    Raises `AddressError` when it would not reach the address and nothing else, `BuildError`
    when the arguments do not suit it.
    """
    kind, options = build
    logs_in = adapt_plugin_class(kind)  # type: ignore[arg-type]  # the hash of its instances hides the class's own
    asset = make_asset() if stores is None or not logs_in else make_shared_store_asset(stores)
    try:
        plugin = kind(asset=asset, **options)
    except Exception:  # noqa: BLE001 - a plugin may raise anything for what it does not take
        if address:
            raise AddressError("the address is not valid for this provider") from None
        raise BuildError(explain_refusal(kind)) from None
    if not plugin.enabled:
        raise BuildError("the provider's plugin is not usable on this machine")
    plugin.request_rate_per_sec = 0
    plugin.retry = 0
    if address:
        is_listed = any(comes_from(text, address) for text in read_targets(build))
        constants = (*_constants(options, address), plugin.app_id)
        check_targets(plugin, address, constants, is_listed=is_listed)
        if execution_mode(kind) == "own" and is_host(address, f"//{plugin.host}"):  # type: ignore[arg-type]  # as in passage
            raise AddressError(NAMES_A_HOST)
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


class PluginPool:
    """Plugins by address; each serves one send at a time, for they keep state between exchanges."""

    def __init__(self, discard: Callable[[NotifyBase], None], logins: SharedLogins) -> None:
        """Have none; `discard` hears of each that is not used again."""
        self._discard = discard
        self._logins = logins
        self._idle: OrderedDict[str, list[NotifyBase]] = OrderedDict()

    def use(
        self,
        address: str,
        build: Callable[[str], NotifyBase],
        work: Callable[[NotifyBase], bool],
    ) -> bool:
        """Return what `work` makes of a plugin for the address, kept or built for this.

        One that failed is not used again, nor is one whose login is no longer good.
        """
        plugin = self._acquire(address) or build(address)
        done = False
        try:
            done = work(plugin)
        finally:
            if done:
                self._release(address, plugin)
            else:
                self._discard(plugin)
        return done

    def drain(self) -> None:
        """Discard all that are idle."""
        while self._idle:
            self._discard_all(self._idle.popitem()[1])

    def _acquire(self, address: str) -> NotifyBase | None:
        spare = self._idle.pop(address, [])
        while spare:
            plugin = spare.pop()
            if self._logins.is_current(plugin):
                if spare:
                    self._idle[address] = spare
                return plugin
            self._discard(plugin)
        return None

    def _release(self, address: str, plugin: NotifyBase) -> None:
        self._idle.setdefault(address, []).append(plugin)
        self._idle.move_to_end(address)
        while len(self._idle) > MAX_IDLE_PLUGINS:
            self._discard_all(self._idle.popitem(last=False)[1])

    def _discard_all(self, plugins: Iterable[NotifyBase]) -> None:
        for plugin in plugins:
            self._discard(plugin)


_PROBE_ADDRESSES = ("0router0", "router0@example.com")
"""Addresses that no setting holds; Apprise tells some arguments by their being e-mail addresses."""


def is_address_secret(fill_url: Callable[[str], str]) -> bool:
    """Return whether a recipient's address is a credential, as a webhook of the recipient's.

    `fill_url` returns the channel's URL for an address.
    """
    try:
        return all(is_secret(parse_url(fill_url(mark)), mark) for mark in _PROBE_ADDRESSES)
    except BuildError:
        return False
