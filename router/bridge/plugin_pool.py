"""Apprise plugin objects: made from URLs and arguments, and pooled by address."""

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
"""Addresses with idle plugins; building a plugin from a URL costs more than sending through it."""


class BuildError(ValueError):
    """The operator's URL or arguments make no usable Apprise plugin."""


def parse_url(url: str) -> Build:
    """Return the class and arguments of an Apprise URL, or raise `BuildError`.

    The URL goes through Apprise's own entry point, which does more than the parser of a plugin: it
    reads `/#` as `/%23`, and it knows the URLs that services hand out.
    """
    patch_apprise()
    scheme = url.partition("://")[0].strip().lower()
    plugins = NotificationManager()
    if scheme in plugins and not plugins[scheme].enabled:
        raise BuildError(explain_disabled(scheme, plugins[scheme]))
    options = url_to_dict(url, secure_logging=False)  # its log is off, and masking is slow
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
    """Use a class for every URL of the Apprise class that it extends.

    A channel plugin calls this function from its hook.
    """
    extended = next(p for p in kind.__mro__[1:] if p.__module__.startswith("apprise.plugins."))
    _EXTENSIONS[extended.__qualname__] = kind


def explain_disabled(scheme: str, plugin: type[NotifyBase]) -> str:
    """Return the reason why Apprise has disabled a plugin, and the remedy.

    Each plugin of Apprise names the packages that it imports. A disabled plugin that names none
    needs a part of the operating system, such as a desktop.
    """
    needs = requirements(plugin)
    packages = " ".join(f"'{package.replace(' ', '')}'" for package in needs["packages_required"])
    if packages:
        return f"{scheme}:// needs a package that is not installed; run pip install {packages}"
    details = " ".join(str(needs["details"]).split()).rstrip(".")
    return f"{scheme}:// can not work on this machine: {details}"


def explain_refusal(plugin: type[NotifyBase]) -> str:
    """Return the reason why a plugin rejects its arguments: wrong values, or a missing package."""
    recommended = requirements(plugin)["packages_recommended"]
    missing = " ".join(f"'{name}'" for name in recommended if not is_installed(name.split()[0]))
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

    A plugin that logs in shares a store in `stores` with the others of its credential.

    Raises `AddressError` where the address is not its one target, and `BuildError` where it
    rejects its arguments.
    """
    kind, options = build
    logs_in = adapt_plugin_class(kind)  # type: ignore[arg-type]  # the hash of its instances hides the class's own
    asset = make_asset() if stores is None or not logs_in else make_shared_store_asset(stores)
    try:
        plugin = kind(asset=asset, **options)
    except Exception:  # noqa: BLE001 - a plugin may raise anything for arguments it rejects
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
        if execution_mode(kind) == "own" and is_host(address, f"//{plugin.host}"):  # type: ignore[arg-type]  # as above
            raise AddressError(NAMES_A_HOST)
    return plugin


def is_secret(build: Build, text: str) -> bool:
    """Return whether a text is in an argument that Apprise marks as private."""
    kind, options = build
    private = {
        str(token.get("map_to", name))
        for name, token in kind.template_tokens.items()
        if token.get("private")
    }
    return any(text in str(options.get(name, "")) for name in private)


def _constants(options: Mapping[str, Any], address: str) -> Iterator[str]:
    """Yield the texts in a plugin's arguments that do not hold the address."""
    for value in options.values():
        for item in value if isinstance(value, list | tuple | set) else (value,):
            if isinstance(item, str) and address not in item:
                yield item


class PluginPool:
    """Idle plugins by address; `discard` is called with each plugin that is not used again.

    A plugin keeps state between the requests of a send, so each serves one send at a time. A
    concurrent send to the same address gets another plugin.
    """

    def __init__(self, discard: Callable[[NotifyBase], None], logins: SharedLogins) -> None:
        self._discard = discard
        self._logins = logins
        self._idle: OrderedDict[str, list[NotifyBase]] = OrderedDict()

    def use(
        self,
        address: str,
        build: Callable[[str], NotifyBase],
        work: Callable[[NotifyBase], bool],
    ) -> bool:
        """Return the result of `work` with a plugin for the address, idle or newly built.

        A plugin whose `work` failed is discarded: its state may be half changed.
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
        """Discard all idle plugins."""
        while self._idle:
            self._discard_all(self._idle.popitem()[1])

    def _acquire(self, address: str) -> NotifyBase | None:
        plugins = self._idle.pop(address, [])
        while plugins:
            plugin = plugins.pop()
            if self._logins.is_current(plugin):
                if plugins:
                    self._idle[address] = plugins
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
"""Addresses that no setting holds: a name, and an e-mail address, which Apprise may read apart."""


def is_address_secret(fill_url: Callable[[str], str]) -> bool:
    """Return whether a recipient's address is a credential, as the URL of a webhook is.

    `fill_url` returns the channel's URL for an address.
    """
    try:
        return all(is_secret(parse_url(fill_url(address)), address) for address in _PROBE_ADDRESSES)
    except BuildError:
        return False
