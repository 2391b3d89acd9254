"""A broken rules file or plugin, at start and on reload: the server lives, nothing is lost."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import call, chat, post, wait_for
from tests.acceptance.router_process import RouterProcess, live
from tests.acceptance.webhook_gateway import Gateway
from tests.conftest import url_of

BROKEN = "version: 1\nrules:\n  - name: all\n    sned: [gateway]\n"


@pytest.fixture
def good(gateway: Gateway) -> str:
    return f"""
version: 1
channels:
  gateway: {{plugin: webhook, url: "{gateway.url}"}}
rules:
  - name: all
    send: [gateway]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[RouterProcess]:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    process = RouterProcess(tmp_path, live(tmp_path) | {"ROUTER_PLUGINS_DIR": str(plugins)})
    yield process
    process.kill()


def rules_of(process: RouterProcess) -> dict[str, Any]:
    status, view = call(f"{process.url}/v1/rules")
    assert status == 200
    return view


def test_without_good_rules_it_accepts_and_holds_until_they_come(
    process: RouterProcess, rules: Path, good: str, gateway: Gateway
) -> None:
    rules.write_text(BROKEN)
    process.start("/health/live")
    wait_for(lambda: bool(rules_of(process)["problems"]))
    assert post(process, chat("held")) == 200
    assert call(f"{process.url}/health/ready", headers={})[0] == 503
    assert gateway.taken == []

    rules.write_text(good)
    process.send(signal.SIGHUP)
    wait_for(lambda: gateway.texts == ["held"])
    assert call(f"{process.url}/health/ready", headers={})[0] == 200


def test_a_bad_reload_changes_nothing_and_says_why(
    process: RouterProcess, rules: Path, good: str, gateway: Gateway
) -> None:
    rules.write_text(good)
    process.start()
    version = rules_of(process)["version"]

    rules.write_text(BROKEN)
    status, answer = call(f"{process.url}/v1/rules/reload", {})
    assert status == 422
    reasons = {problem["path"]: problem["reason"] for problem in answer["problems"]}
    assert 'did you mean "send"?' in reasons[f"{rules}:4:5"]

    view = rules_of(process)
    assert (view["version"], view["current"]) == (version, False)
    assert post(process, chat("by the good ones")) == 200
    wait_for(lambda: gateway.texts == ["by the good ones"])


def test_the_last_good_rules_serve_after_a_restart_with_a_broken_file(
    process: RouterProcess, rules: Path, good: str, gateway: Gateway
) -> None:
    rules.write_text(good)
    process.start()
    version = rules_of(process)["version"]
    assert process.end() == 0

    rules.write_text(BROKEN)
    process.start()
    view = rules_of(process)
    assert (view["version"], view["current"]) == (version, False)
    assert post(process, chat("after the restart")) == 200
    wait_for(lambda: gateway.texts == ["after the restart"])


def test_a_broken_plugin_is_named_and_takes_nothing_down(
    process: RouterProcess, tmp_path: Path, rules: Path, good: str, gateway: Gateway
) -> None:
    (tmp_path / "plugins" / "pager.py").write_text("raise RuntimeError('no pager today')\n")
    rules.write_text(good)
    process.start()
    assert post(process, chat("all the same")) == 200
    wait_for(lambda: gateway.texts == ["all the same"])
    log = process.log.read_text()
    assert "plugin not loaded" in log
    assert "pager.py" in log


def test_a_repeat_is_answered_with_the_first_ones_id_and_sent_once(
    process: RouterProcess, rules: Path, good: str, gateway: Gateway
) -> None:
    rules.write_text(good)
    process.start()
    twice = chat("twice")
    assert [post(process, body) for body in (twice, twice, chat("once"))] == [200] * 3
    wait_for(lambda: len(gateway.taken) >= 2)
    assert sorted(gateway.texts) == ["once", "twice"]


def test_live_mode_without_credentials_refuses_to_start(tmp_path: Path) -> None:
    process = RouterProcess(tmp_path, {"ROUTER_DATABASE": url_of(tmp_path / "router.db")})
    with pytest.raises(AssertionError, match="ROUTER_WEBHOOK_USER"):
        process.start()
    assert not (tmp_path / "router.db").exists()
