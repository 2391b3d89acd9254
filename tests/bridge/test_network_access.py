"""Apprise reaches the network through the bridge alone, in every module it has."""

import http.client
import select
import smtplib
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import apprise
import requests
import urllib3
from apprise import AppriseAttachment
from apprise.attachment.http import AttachHTTP
from apprise.utils.wkd import AppriseWKDController

from router.bridge.patching import patch_apprise
from router.testing import FakeProvider

WAYS_OUT = (
    *(requests, urllib3, urllib.request, http.client),
    *(smtplib, socket, ssl, select, subprocess),
)
HOMES = (
    *("requests.api", "requests.sessions", "urllib3", "urllib.request", "http.client"),
    *("smtplib", "socket", "subprocess"),
)

REASONS = {
    "apprise.plugins.amqp.v091": "speaks AMQP; it runs in a thread, and never in sandbox mode",
    "apprise.plugins.aprs": "speaks APRS; it runs in a thread, and never in sandbox mode",
    "apprise.plugins.macosx": "runs a program; it runs in a thread, and never in sandbox mode",
    "apprise.plugins.mqtt": "speaks MQTT; it runs in a thread, and never in sandbox mode",
    "apprise.plugins.rsyslog": "speaks syslog; it runs in a thread, and never in sandbox mode",
    "apprise.plugins.xmpp.adapter": "speaks XMPP; it runs in a thread, and never in sandbox mode",
    "apprise.utils.http": "defines sessions; every name that leads to them is rebound",
    "apprise.utils.socket": "serves the plugins that speak protocols of their own",
}
"""Modules that hold a way out of their own."""

NOT_LOADED = frozenset({"apprise.cli", "apprise.compat.markdown33"})
"""Apprise's command line, and a stand-in for an old library that neither reads nor connects."""


def find_modules() -> Iterator[ModuleType]:
    patch_apprise()
    for name, module in sorted(sys.modules.copy().items()):
        if name.startswith("apprise.") and isinstance(module, ModuleType):
            yield module


def leads_out(value: object) -> bool:
    """Return whether a value is a library that connects, or a class or function out of one."""
    if isinstance(value, ModuleType):
        return any(value is way for way in WAYS_OUT)
    parents = value.__mro__ if isinstance(value, type) else ()
    homes = [getattr(value, "__module__", None), *(parent.__module__ for parent in parents)]
    is_ours = isinstance(value, type) and value.__module__.startswith("router.")
    is_error = isinstance(value, type) and issubclass(value, Exception)
    return not is_ours and not is_error and any(str(home).startswith(HOMES) for home in homes)


def test_no_module_of_apprise_reaches_the_network_by_itself() -> None:
    modules = find_modules()
    found = {m.__name__ for m in modules if any(map(leads_out, vars(m).values()))}
    assert found == REASONS.keys()


def test_no_module_of_apprise_is_loaded_later() -> None:
    root = Path(apprise.__path__[0])
    files = [path.relative_to(root.parent) for path in root.rglob("*.py")]
    names = {".".join(p.with_suffix("").parts) for p in files if p.name != "__init__.py"}
    assert names - {module.__name__ for module in find_modules()} == NOT_LOADED


async def test_a_file_over_http_is_fetched_by_nobody() -> None:
    patch_apprise()
    async with FakeProvider() as provider:
        assert not AppriseAttachment(asset=None).add(f"{provider.url}/t.json")
        attachment = AttachHTTP(**AttachHTTP.parse_url(f"{provider.url}/t.json"))
        assert not attachment.download()
        assert provider.requests == []


async def test_a_key_is_looked_up_at_nobodys() -> None:
    patch_apprise()
    assert AppriseWKDController().fetch("somebody@127.0.0.1.example") is None
