"""Rules in several files, changed under a router that runs and takes traffic."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from router.samples import read_sample
from tests.acceptance.client import payload
from tests.acceptance.router_process import (
    COMETCHAT,
    OPERATOR,
    PATIENCE,
    RouterProcess,
    live,
    run_router,
)

MAIN = """version: 1
channels:
  log: {plugin: webhook, url: "http://127.0.0.1:9/"}
include: [teams/*.yaml]
rules:
  - {name: calls, when: {type: call}, send: [log]}
"""
SUPPORT = "owner: support\nrules: [{name: one, when: {receiver: s}, send: [log]}]\n"
BILLING = "owner: billing\nrules: [{name: one, when: {receiver: b}, send: [log]}]\n"
BAD = SUPPORT.replace("[log]", "[lgo]")
QUICK = 10.0


def ask(url: str, headers: Mapping[str, str], body: bytes | None = None) -> dict[str, Any]:
    """Return the answer of a router; raises `OSError` for any other than 200."""
    request = urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
        assert answer.status == 200
        return dict(json.load(answer))


class Site:
    """A router and the files it reads."""

    def __init__(self, folder: Path) -> None:
        self.main, self.teams = folder / "rules.yaml", folder / "teams"
        self.teams.mkdir()
        self.main.write_text(MAIN)
        self.write("support", SUPPORT)
        self.write("billing", BILLING)
        self.settings = live(folder)
        self.router = RouterProcess(folder, self.settings)

    def write(self, team: str, text: str) -> None:
        """Replace a file in one step, as editors and deployments do."""
        whole = self.teams / f".{team}.new"
        whole.write_text(text)
        os.replace(whole, self.teams / f"{team}.yaml")  # noqa: PTH105 - reads as what it does

    def show(self) -> dict[str, Any]:
        return ask(self.router.url + "/v1/rules", OPERATOR)

    def rules(self) -> list[str]:
        return list(self.show()["rules"])

    def standing(self) -> dict[str, str]:
        return {Path(f["file"]).stem: f["standing"] for f in self.show()["included"]}

    def metric(self, line: str) -> bool:
        with urllib.request.urlopen(self.router.url + "/metrics", timeout=5) as answer:  # noqa: S310 - loopback
            return line in answer.read().decode().splitlines()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    try:
        site.router.start()
        yield site
    finally:
        site.router.kill()


def wait_for(what: Callable[[], bool], seconds: float = QUICK) -> float:
    """Wait until something holds; return how long that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


@contextmanager
def traffic(site: Site) -> Iterator[list[int]]:
    """Post payloads, about fifty a second, and keep the status of each answer."""
    statuses: list[int] = []
    is_over = Event()

    def post() -> None:
        number = 0
        while not is_over.wait(0.02):
            number += 1
            body = json.dumps(payload(f"text {number}", uid="ann", number=number)).encode()
            try:
                ask(site.router.url + "/webhook", COMETCHAT, body)
                statuses.append(200)
            except OSError:
                statuses.append(0)

    thread = Thread(target=post)
    thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        thread.join(PATIENCE)


def test_an_edit_is_in_force_within_seconds_and_a_bad_file_is_refused_alone(site: Site) -> None:
    assert site.rules() == ["calls", "billing/one", "support/one"]
    with traffic(site) as statuses:
        site.write("billing", BILLING.replace("name: one", "name: two"))
        wait_for(lambda: "billing/two" in site.rules())

        site.write("support", BAD)
        site.write("billing", BILLING.replace("name: one", "name: three"))
        wait_for(lambda: "billing/three" in site.rules())
        wait_for(lambda: site.standing() == {"billing": "current", "support": "last good"})
        shown = site.show()
        assert shown["rules"] == ["calls", "billing/three", "support/one"]
        assert shown["current"] is False
        errors = [each for each in shown["problems"] if each["severity"] == "error"]
        assert [Path(each["file"]).name for each in errors] == ["support.yaml"]
        assert site.metric("router_rules_reload_ok 0.0")
        assert site.metric(f'router_rules_file_ok{{file="{site.teams}/support.yaml"}} 0.0')
        assert site.metric(f'router_rules_file_ok{{file="{site.teams}/billing.yaml"}} 1.0')
        log = site.router.log.read_text()
        assert 'unknown channel \\"lgo\\"' in log or 'unknown channel "lgo"' in log
        assert "included file rejected" in log
        assert "last good" in log

        site.write("support", SUPPORT.replace("name: one", "name: mended"))
        wait_for(lambda: "support/mended" in site.rules())
        assert site.show()["current"] is True
        (site.teams / "new.yaml").write_text("owner: new\nrules: [{name: r, stop: true}]\n")
        wait_for(lambda: "new/r" in site.rules())
        (site.teams / "new.yaml").unlink()
        wait_for(lambda: "new/r" not in site.rules())
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_a_restart_with_a_bad_file_has_what_was_good_of_it(site: Site) -> None:
    site.write("support", BAD)
    wait_for(lambda: site.standing()["support"] == "last good")
    assert site.router.end() == 0
    site.router.start()
    assert site.standing() == {"billing": "current", "support": "last good"}
    assert site.rules() == ["calls", "billing/one", "support/one"]

    site.main.write_text("version: 1\nrules: [")
    wait_for(lambda: "this is not YAML" in json.dumps(site.show()["problems"]))
    assert site.rules() == ["calls", "billing/one", "support/one"]
    assert site.router.end() == 0
    site.router.start()
    assert site.rules() == ["calls", "billing/one", "support/one"], "all of it was kept"
    assert site.standing() == {"billing": "last good", "support": "last good"}


def test_a_main_file_that_takes_the_ground_from_under_another_changes_nothing(site: Site) -> None:
    site.main.write_text(MAIN.replace("  log:", "  logs:").replace("[log]", "[logs]"))
    wait_for(lambda: site.show()["current"] is False)
    shown = site.show()
    assert shown["rules"] == ["calls", "billing/one", "support/one"]
    assert "neither this file nor its last good text" in json.dumps(shown["problems"])


def test_a_file_is_read_when_it_rests_and_a_signal_reads_it_at_once(site: Site) -> None:
    half = SUPPORT[:20]
    path = site.teams / "support.yaml"
    for count in range(30):
        path.write_text(half + " " * count)
        time.sleep(0.1)
    path.write_text(SUPPORT.replace("name: one", "name: whole"))
    site.router.send(signal.SIGHUP)
    assert wait_for(lambda: "support/whole" in site.rules()) < PATIENCE
    assert "rejected" not in site.router.log.read_text(), "what was half written was never read"


def test_what_rules_did_is_counted_and_outlasts_the_process(site: Site) -> None:
    ring = json.dumps(read_sample("push_call_audio_initiated")).encode()
    ask(site.router.url + "/webhook", COMETCHAT, ring)
    wait_for(lambda: site.metric('router_rule_matches_total{rule="calls"} 1.0'))
    assert site.router.end() == 0
    site.router.start()
    told = ask(site.router.url + "/v1/rules/stats?days=2", OPERATOR)
    assert [(each["rule"], each["matches"]) for each in told["rules"]] == [
        *(("calls", 1), ("billing/one", 0), ("support/one", 0)),
    ]
    assert site.router.end() == 0
    stats = run_router("rules", "stats", environ=site.settings)
    assert stats.returncode == 0, stats.stderr
    rows = [line.split("\t") for line in stats.stdout.splitlines()]
    assert [row[:2] for row in rows[1:]] == [
        ["calls", "1"],
        ["billing/one", "0 in 30 days"],
        ["support/one", "0 in 30 days"],
    ]
    json_rows = json.loads(
        run_router("rules", "stats", "--format", "json", environ=site.settings).stdout
    )
    assert [row["matches"] for row in json_rows] == [1, 0, 0]
    assert run_router("rules", "stats", "--since", "soon", environ=site.settings).returncode == 2


def test_an_explanation_names_the_file_in_which_a_test_stands(site: Site) -> None:
    body = json.dumps(payload("hello", uid="ann")).encode()
    told = ask(site.router.url + "/v1/rules/explain", OPERATOR, body)
    tests = {rule["name"]: rule["tests"] for rule in told["rules"]}
    assert tests["support/one"][0]["place"].startswith(f"{site.teams}/support.yaml:2:")
