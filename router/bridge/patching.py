"""Patch Apprise's modules to use the bridge, and detect how each plugin has to be run.

The patch rebinds names in the module globals of `apprise.*` alone: `requests`, `smtplib`, `os` and
`open` stay as they are for all other code in the process.
"""

import logging
import ssl
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import ClassVar, Literal

import apprise.url
import requests
from apprise import AppriseAsset, PersistentStore, PersistentStoreMode, apprise_attachment
from apprise.manager_attachment import AttachmentManager
from apprise.manager_config import ConfigurationManager
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase

from router.bridge.local_files import ATTACHMENT_TYPES, block_disk_access
from router.bridge.module_shim import TimeShim
from router.bridge.plugin_classes import adapt_plugin_class, detach_destructor
from router.bridge.requests_shim import (
    BlockedSession,
    BridgedSession,
    RequestsShim,
    find_shims,
    is_bridged,
)
from router.bridge.send_context import watch_collections
from router.bridge.shared_login import CredentialKey, credential_key
from router.bridge.smtplib_shim import SmtplibShim, SSLShim

PLUGINS_PACKAGE = "apprise.plugins"

MIN_PATCHED_MODULES = 160
"""The least number of modules that must hold the shim; Apprise 2.2.0 has 164."""

NETWORK_MODULES = frozenset(
    {"apprise.utils.socket", "asyncio", "select", "socket", "ssl", "subprocess"}
)
"""A plugin whose module imports one of these, or a name from one, opens connections by itself."""

ExecutionMode = Literal["loop", "thread", "own"]
"""How a plugin is run.

`loop` runs it in a greenlet on the event loop. `thread` runs it in a thread, because it takes
locks, which would stop the loop; its requests go over the bridge, too. `own` is a thread as well,
and the plugin reaches its provider over connections of its own.
"""


class PatchError(RuntimeError):
    """The installed release of Apprise does not have the structure that the bridge expects."""


@cache
def patch_apprise() -> int:
    """Rebind the plugins to the bridge, once; return the number of modules that hold the shim.

    Raises `PatchError` for fewer than `MIN_PATCHED_MODULES`: another release of Apprise may have
    moved names that the bridge rebinds.
    """
    _silence_logging()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for manager in (AttachmentManager, ConfigurationManager, NotificationManager):
            manager().load_modules()
    vars(apprise_attachment)["A_MGR"] = ATTACHMENT_TYPES
    smtplib_shim, ssl_shim, shims = SmtplibShim(), SSLShim(), find_shims()
    vars(apprise.url)["time"] = TimeShim()
    for module in _modules("apprise"):
        names = vars(module)
        names.update({n: shims[id(v)] for n, v in names.items() if id(v) in shims})
        names.update({n: BlockedSession for n, v in names.items() if _is_own_session(v)})
        block_disk_access(module)
        if getattr(names.get("smtplib"), "__name__", "") == "smtplib":
            names["smtplib"] = smtplib_shim
            if names.get("ssl") is ssl:
                names["ssl"] = ssl_shim
    _share_stores()
    watch_collections()
    for kind in _classes():
        if issubclass(kind, NotifyBase):
            adapt_plugin_class(kind)  # type: ignore[arg-type]  # the hash of its instances hides the class's own
        else:
            detach_destructor(kind)
    count = sum(isinstance(vars(m).get("requests"), RequestsShim) for m in _modules())
    if count < MIN_PATCHED_MODULES:
        raise PatchError(
            f"{count} modules of Apprise hold the bridge, {MIN_PATCHED_MODULES} should: "
            "install the release of Apprise that the lock file names"
        )
    return count


def _is_own_session(value: object) -> bool:
    """Return whether a value is a session class of Apprise, which would connect by itself."""
    if not isinstance(value, type) or not issubclass(value, requests.Session):
        return False
    return not issubclass(value, BridgedSession)


def _silence_logging() -> None:
    """Stop Apprise's log: it prints tokens and addresses, and outcomes hold the errors."""
    log = logging.getLogger("apprise")
    log.setLevel(logging.CRITICAL + 1)
    log.addFilter(_drop_record)


def _drop_record(_: logging.LogRecord) -> bool:
    """Drop every record, also where other code sets levels and handlers later."""
    return False


def _modules(package: str = PLUGINS_PACKAGE) -> Iterator[ModuleType]:
    for name, module in sys.modules.copy().items():  # other threads may import meanwhile
        if f"{name}.".startswith(f"{package}.") and isinstance(module, ModuleType):
            yield module


def _classes() -> Iterator[type]:
    """Yield the classes that the modules of Apprise's plugins define."""
    for module in _modules():
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


class SharedStoreAsset(AppriseAsset):
    """An asset for plugins that share a store with the others of their credential."""

    stores: ClassVar[dict[CredentialKey, PersistentStore]] = {}


def make_shared_store_asset(stores: dict[CredentialKey, PersistentStore]) -> SharedStoreAsset:
    """Return an asset with the application's settings and the stores that plugins share."""
    asset = SharedStoreAsset()
    vars(asset).update(vars(make_asset()), stores=stores)
    return asset


def _share_stores() -> None:
    """Make plugins with a `SharedStoreAsset` use the store of their credential."""
    own_store: Callable[[NotifyBase], PersistentStore] = vars(NotifyBase)["store"].fget
    if getattr(own_store, "__module__", "") == __name__:
        return

    def find_store(plugin: NotifyBase) -> PersistentStore:
        asset: AppriseAsset = plugin.asset
        identity = credential_key(plugin) if isinstance(asset, SharedStoreAsset) else None
        if not isinstance(asset, SharedStoreAsset) or identity is None:
            return own_store(plugin)
        if identity not in asset.stores:
            # `setdefault` is atomic: two threads that both find none get the same store.
            new_store = PersistentStore(mode=PersistentStoreMode.MEMORY)
            asset.stores.setdefault(identity, new_store)
        return asset.stores[identity]

    type.__setattr__(NotifyBase, "store", property(find_store))


@cache
def execution_mode(plugin: type[NotifyBase]) -> ExecutionMode:
    """Return the mode in which the plugins of a class must run."""
    patch_apprise()
    members = [value for module in find_modules(plugin) for value in vars(module).values()]
    module_names = {_module_of(value) for value in members}
    if module_names & NETWORK_MODULES or not (
        any(isinstance(v, SmtplibShim) or is_bridged(v) for v in members)
        or _uses_requests_shim(plugin)
    ):
        return "own"
    return "thread" if "threading" in module_names else "loop"


def _module_of(value: object) -> str:
    name = "__name__" if isinstance(value, ModuleType) else "__module__"
    return str(getattr(value, name, ""))


def find_modules(plugin: type[NotifyBase]) -> Iterator[ModuleType]:
    """Yield the modules of Apprise that define a plugin, with all of its package."""
    parents = (parent.__module__ for parent in plugin.__mro__)
    module_names = {name for name in parents if name.startswith(PLUGINS_PACKAGE + ".")}
    module_names.discard(f"{PLUGINS_PACKAGE}.base")
    packages = {name.rpartition(".")[0] for name in module_names} - {PLUGINS_PACKAGE}
    for module in _modules():
        name = module.__name__
        if name in module_names or any(name == p or name.startswith(f"{p}.") for p in packages):
            yield module


def _uses_requests_shim(plugin: type[NotifyBase]) -> bool:
    """Return whether a class outside of Apprise makes its requests through the shim."""
    modules = (sys.modules.get(parent.__module__) for parent in plugin.__mro__)
    return any(is_bridged(v) for module in modules if module for v in vars(module).values())


@cache
def make_asset() -> AppriseAsset:
    """Return the asset of every plugin: no link or image of Apprise, no redirects, no disk."""
    return AppriseAsset(
        app_id="Router",
        app_desc="Notification router",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,
        service_timeout=0,
    )
