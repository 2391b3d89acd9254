"""Put the bridge under Apprise's plugins, and find out how each of them speaks.

Rebinds names in the module globals of `apprise.*`, nothing else: `requests`, `smtplib`, `os` and
`open` stay as they are for everyone else in the process.
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
"""So many modules must come to hold the shim; Apprise 2.2.0 has 164."""

NETWORK_MODULES = frozenset(
    {"apprise.utils.socket", "asyncio", "select", "socket", "ssl", "subprocess"}
)
"""A module that holds one of these, or a name out of one, opens connections by itself."""

ExecutionMode = Literal["loop", "thread", "own"]
"""How a plugin is run: `loop`, its requests cross to the event loop; `thread`, they do, but it
takes locks and so must not share a thread; `own`, it reaches its provider by itself."""


class PatchError(RuntimeError):
    """Apprise is not built the way the bridge expects."""


@cache
def patch_apprise() -> int:
    """Rebind the plugins to the bridge, once; return how many modules hold the shim.

    Raises `PatchError` when fewer do than Apprise has HTTP plugins: another release
    of Apprise may have moved what the bridge rests on.
    """
    _silence_logging()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for manager in (AttachmentManager, ConfigurationManager, NotificationManager):
            manager().load_modules()
    vars(apprise_attachment)["A_MGR"] = ATTACHMENT_TYPES
    mail, contexts, stand_ins = SmtplibShim(), SSLShim(), find_shims()
    vars(apprise.url)["time"] = TimeShim()
    for module in _modules("apprise"):
        names = vars(module)
        names.update({n: stand_ins[id(v)] for n, v in names.items() if id(v) in stand_ins})
        names.update({n: BlockedSession for n, v in names.items() if _is_own_session(v)})
        block_disk_access(module)
        if getattr(names.get("smtplib"), "__name__", "") == "smtplib":
            names["smtplib"] = mail
            if names.get("ssl") is ssl:
                names["ssl"] = contexts
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
    """Return whether a class is Apprise's own kind of session, which would connect by itself."""
    if not isinstance(value, type) or not issubclass(value, requests.Session):
        return False
    return not issubclass(value, BridgedSession)


def _silence_logging() -> None:
    """Stop Apprise's log: it prints tokens and addresses, and outcomes say what matters."""
    log = logging.getLogger("apprise")
    log.setLevel(logging.CRITICAL + 1)
    log.addFilter(_drop_record)


def _drop_record(_: logging.LogRecord) -> bool:
    """Let nothing pass, whatever levels and handlers someone sets later."""
    return False


def _modules(package: str = PLUGINS_PACKAGE) -> Iterator[ModuleType]:
    for name, module in sys.modules.copy().items():  # other threads import
        if f"{name}.".startswith(f"{package}.") and isinstance(module, ModuleType):
            yield module


def _classes() -> Iterator[type]:
    """Yield the classes that the modules of Apprise's plugins define."""
    for module in _modules():
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


class SharedStoreAsset(AppriseAsset):
    """What plugins are told that keep what they learn beside others of their credential."""

    stores: ClassVar[dict[CredentialKey, PersistentStore]] = {}


def make_shared_store_asset(stores: dict[CredentialKey, PersistentStore]) -> SharedStoreAsset:
    """Return what plugins are told of the application and of the stores that they share."""
    asset = SharedStoreAsset()
    vars(asset).update(vars(make_asset()), stores=stores)
    return asset


def _share_stores() -> None:
    """Let plugins with a `SharedStoreAsset` have the store of their credential."""
    alone: Callable[[NotifyBase], PersistentStore] = vars(NotifyBase)["store"].fget
    if getattr(alone, "__module__", "") == __name__:
        return

    def find_store(plugin: NotifyBase) -> PersistentStore:
        asset: AppriseAsset = plugin.asset
        identity = credential_key(plugin) if isinstance(asset, SharedStoreAsset) else None
        if not isinstance(asset, SharedStoreAsset) or identity is None:
            return alone(plugin)
        if identity not in asset.stores:
            fresh = PersistentStore(mode=PersistentStoreMode.MEMORY)
            asset.stores.setdefault(identity, fresh)
        return asset.stores[identity]

    type.__setattr__(NotifyBase, "store", property(find_store))


@cache
def execution_mode(plugin: type[NotifyBase]) -> ExecutionMode:
    """Return how the plugins of a class are to be run."""
    patch_apprise()
    held = [value for module in find_modules(plugin) for value in vars(module).values()]
    homes = {_module_of(value) for value in held}
    if homes & NETWORK_MODULES or not (
        any(isinstance(v, SmtplibShim) or is_bridged(v) for v in held)
        or _uses_requests_shim(plugin)
    ):
        return "own"
    return "thread" if "threading" in homes else "loop"


def _module_of(value: object) -> str:
    name = "__name__" if isinstance(value, ModuleType) else "__module__"
    return str(getattr(value, name, ""))


def find_modules(plugin: type[NotifyBase]) -> Iterator[ModuleType]:
    """Yield the modules of Apprise that a plugin is made of, its package's included."""
    homes = {c.__module__ for c in plugin.__mro__ if c.__module__.startswith(PLUGINS_PACKAGE + ".")}
    homes.discard(f"{PLUGINS_PACKAGE}.base")
    packages = {home.rpartition(".")[0] for home in homes} - {PLUGINS_PACKAGE}
    for module in _modules():
        name = module.__name__
        if name in homes or any(name == p or name.startswith(f"{p}.") for p in packages):
            yield module


def _uses_requests_shim(plugin: type[NotifyBase]) -> bool:
    """Return whether a class outside of Apprise makes its requests through the shim."""
    homes = (sys.modules.get(c.__module__) for c in plugin.__mro__)
    return any(is_bridged(v) for home in homes if home for v in vars(home).values())


@cache
def make_asset() -> AppriseAsset:
    """Return what plugins are told of the application: nothing that points elsewhere."""
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
