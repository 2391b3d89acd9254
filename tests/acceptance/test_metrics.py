"""Every metric moves when what it measures happens, seen from outside."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.telemetry import Metrics
from tests import ROOT
from tests.acceptance.client import call, chat, post, read_metrics, wait_for
from tests.acceptance.router_process import COMETCHAT, OPERATOR, RouterProcess, live, running
from tests.acceptance.test_broken_files import BROKEN
from tests.acceptance.webhook_gateway import Gateway

pytestmark = pytest.mark.slow

TESTDATA = ROOT / "tests" / "testdata"
LABELS = 'feed="push",kind="message"'


@pytest.fixture
def router(tmp_path: Path, gateway: Gateway) -> Iterator[RouterProcess]:
    rules = tmp_path / "rules.yaml"
    channel = json.dumps({"plugin": "webhook", "url": gateway.url})
    rules.write_text(
        f"version: 1\nchannels:\n  gateway: {channel}\n  held: {channel}\n"
        "include: [team.yaml]\n"
        "rules:\n  - {name: all, send: [gateway, held]}\n"
    )
    team = tmp_path / "team.yaml"
    team.write_text(
        "owner: team\nrules:\n  - {name: loud, when: {unreadMessageCount: {gt: 5}}, drop: true}\n"
    )
    with running(tmp_path, live(tmp_path)) as process:
        yield process


def test_every_metric_moves_when_it_should(
    router: RouterProcess, gateway: Gateway, tmp_path: Path
) -> None:
    def shows(name: str, value: float) -> None:
        wait_for(lambda: read_metrics(router).get(name) == value)

    shows("router_rules_reload_ok", 1)
    team = tmp_path / "team.yaml"
    shows(f'router_rules_file_ok{{file="{team}"}}', 1)
    call(f"{router.url}/v1/channels/held/pause", {"seconds": 600})
    shows('router_channel_held{cause="paused",channel="held"}', 1)

    assert post(router, chat("first")) == 200
    shows(f'router_notifications_total{{{LABELS},result="accepted"}}', 1)
    shows("router_decide_seconds_count", 1)
    shows('router_rule_matches_total{rule="all"}', 1)
    shows('router_attempts_total{channel="gateway",outcome="delivered"}', 1)
    shows('router_attempt_seconds_count{channel="gateway"}', 1)
    shows("router_delivery_lag_seconds_count", 1)
    shows('router_deliveries{channel="held",state="due"}', 1)
    shows("router_batch_size_count", 1)
    shows("router_batch_size_sum", 1)
    assert read_metrics(router)["router_accept_seconds_count"] == 1

    odd = json.loads(chat("odd"))
    odd["data"]["notificationDetails"]["unreadMessageCount"] = "many"
    assert post(router, json.dumps(odd).encode()) == 200
    shows('router_rule_mismatches_total{field="unreadMessageCount"}', 1)
    receipt = (TESTDATA / "general" / "message_read_receipt.json").read_bytes()
    assert call(f"{router.url}/webhook/events", receipt, COMETCHAT)[0] == 200
    shows('router_events_total{result="accepted",trigger="message_read_receipt"}', 1)

    again = payload_of(gateway)
    assert post(router, again) == 200
    shows(f'router_notifications_total{{{LABELS},result="duplicate"}}', 1)
    assert post(router, b"{}") == 400
    shows('router_webhook_refused_total{reason="invalid"}', 1)
    assert call(f"{router.url}/webhook", again, OPERATOR)[0] == 401
    shows('router_webhook_refused_total{reason="unauthorized"}', 1)
    shows('router_notifications_total{feed="",kind="",result="invalid"}', 1)
    with closing(hold_the_database(tmp_path)):
        assert post(router, chat("late")) == 503
    shows(f'router_notifications_total{{{LABELS},result="unavailable"}}', 1)
    assert read_metrics(router)["router_accept_seconds_count"] == 5

    assert call(f"{router.url}/v1/deliveries/cancel", {"filter": {"channel": "held"}})[0] == 200
    wait_for(
        lambda: any(n.startswith("router_deliveries_ended_total{") for n in read_metrics(router))
    )
    call(f"{router.url}/v1/channels/held/resume", {})
    shows('router_channel_held{cause="paused",channel="held"}', 0)
    shows('router_deliveries{channel="held",state="due"}', 0)
    rules = tmp_path / "rules.yaml"
    capped = rules.read_text() + "apps: {app: {cap: 1/day}}\n"
    for text, ok in ((BROKEN, 0), (capped, 1)):
        rules.write_text(text)
        call(f"{router.url}/v1/rules/reload", {})
        shows("router_rules_reload_ok", ok)

    wait_for(lambda: runs_behind(router))
    shows('router_app_capped{app="app"}', 1)
    assert find_unseen(router) == {"router_deliveries_guarded"}, "it moves where a guard is set"


def cancel_held(router: RouterProcess) -> None:
    """Cancel what waits for the held channel, and wait until that is counted."""
    assert call(f"{router.url}/v1/deliveries/cancel", {"filter": {"channel": "held"}})[0] == 200
    ended = "router_deliveries_ended_total{"
    wait_for(lambda: any(name.startswith(ended) for name in read_metrics(router)))


def find_unseen(router: RouterProcess) -> set[str]:
    """Return the names of metrics that have no value yet."""
    families = {family.name for family in Metrics().registry.collect()}
    seen = {sample.partition("{")[0] for sample in read_metrics(router)}
    return {name for name in families if not any(one.startswith(name) for one in seen)}


def runs_behind(router: RouterProcess) -> bool:
    """Post from a clock that is ahead; return whether the router has found that out."""
    time.sleep(1)
    assert post(router, chat(f"at {time.time()}", ahead=3.0)) == 200
    return -3.1 <= read_metrics(router)["router_clock_skew_seconds"] < -1.0


def hold_the_database(folder: Path) -> sqlite3.Connection:
    """Return a connection that keeps everybody else from writing until it is closed."""
    connection = sqlite3.connect(folder / "router.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def payload_of(gateway: Gateway) -> bytes:
    """Return the payload that the gateway was handed, as it came."""
    taken = gateway.taken[0]
    kept = ("trigger", "webhook", "appId", "data")
    return json.dumps({name: taken[name] for name in kept}).encode()
