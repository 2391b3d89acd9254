"""The bridge stands under every plugin of the installed Apprise."""

import logging
import logging.config
import subprocess
import sys
import time
from types import ModuleType

import apprise.url
import pytest
import requests as real
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.email import NotifyEmail
from apprise.plugins.matrix import NotifyMatrix
from apprise.plugins.mqtt import NotifyMQTT
from apprise.plugins.nostr import NotifyNostr
from apprise.plugins.syslog import NotifySyslog

from router.bridge import patching, requests
from router.bridge.patching import MIN_PATCHED_MODULES, PatchError, execution_mode, patch_apprise


def test_every_plugin_that_speaks_http_holds_the_bridge() -> None:
    assert patch_apprise() >= MIN_PATCHED_MODULES


def test_installing_again_changes_nothing() -> None:
    assert patch_apprise() == patch_apprise.__wrapped__()


def test_a_release_of_apprise_that_is_built_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patching, "MIN_PATCHED_MODULES", 100_000)
    with pytest.raises(PatchError, match="100000 should"):
        patch_apprise.__wrapped__()


def test_every_module_that_knows_requests_was_rebound() -> None:
    patch_apprise()
    left = [
        name
        for name, module in sys.modules.items()
        if name.startswith("apprise.") and vars(module).get("requests", requests) is not requests
    ]
    assert left == []


def test_names_taken_out_of_requests_are_rebound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("apprise.plugins.homemade")
    vars(module).update(send=real.post, Session=real.Session, sessions=real.sessions)
    monkeypatch.setitem(sys.modules, "apprise.plugins.homemade", module)
    patch_apprise.__wrapped__()
    assert vars(module)["send"] == requests.post
    assert vars(module)["Session"] is requests.Session
    assert vars(module)["sessions"] is requests.sessions


@pytest.mark.parametrize(
    ("plugin", "speech"),
    [
        (NotifyJSON, "loop"),
        (NotifyEmail, "loop"),
        (NotifyMatrix, "thread"),
        (NotifyMQTT, "own"),
        (NotifyNostr, "own"),
        (NotifySyslog, "own"),
        (NotifyBase, "own"),
    ],
)
def test_a_plugin_is_run_as_it_speaks(plugin: type, speech: str) -> None:
    patch_apprise()
    assert execution_mode(plugin) == speech


def test_a_plugin_made_elsewhere_is_run_on_the_loop_when_it_uses_the_bridge() -> None:
    patch_apprise()
    assert execution_mode(Homemade) == "loop"


class Homemade(NotifyBase):
    """This module holds the bridge's requests."""


def test_most_plugins_run_on_the_loop() -> None:
    patch_apprise()
    speeches = [execution_mode(plugin) for plugin in set(NotificationManager().plugins())]
    assert speeches.count("loop") >= 160


def test_apprise_never_sleeps() -> None:
    patch_apprise()
    started = time.monotonic()
    vars(apprise.url)["time"].sleep(5)
    assert time.monotonic() - started < 1
    assert vars(apprise.url)["time"].time is time.time


def test_apprise_logs_nothing_however_logging_is_set_up(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    patch_apprise()
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "apprise")
    logging.getLogger("apprise").error("An invalid token (SECRET)")
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_the_rest_of_the_process_keeps_its_own_libraries() -> None:
    script = (
        "import requests, smtplib, ssl, time\n"
        "before = (requests.post, smtplib.SMTP, ssl.create_default_context, time.sleep)\n"
        "from router.bridge.patching import patch_apprise\n"
        "patch_apprise()\n"
        "assert before == (requests.post, smtplib.SMTP, ssl.create_default_context, time.sleep)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=".")
