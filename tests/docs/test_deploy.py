"""The files that deploy.md shows: read as their programs read them, and held against the code."""

import inspect
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import uvicorn

from router.app import SHUTDOWN_GRACE_S
from router.settings import check_exposure, read_environment
from router.signals import EXIT_TIMEOUT_S
from router.web.webhook import MAX_BODY_BYTES
from router.worker.worker import DRAIN_TIMEOUT_S
from tests.docs.blocks import ROOT
from tests.docs.parts.metrics import exposed_name, read_metrics

UNIT = ROOT / "docker/router.service"
NGINX = (ROOT / "docker/nginx.conf").read_text(encoding="utf-8")
CADDY = (ROOT / "docker/Caddyfile").read_text(encoding="utf-8")
COMETCHAT = 2.0
"""Seconds CometChat waits: https://www.cometchat.com/docs/notifications/custom-providers"""
IDLE: int = inspect.signature(uvicorn.Config.__init__).parameters["timeout_keep_alive"].default
"""Seconds after which the server closes an idle connection."""


def unit_lines() -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield section, name, value


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    sections = [section for section, _, _ in unit_lines()]
    assert list(dict.fromkeys(sections)) == ["Unit", "Service", "Install"]
    assert all(
        re.fullmatch(r"[A-Z]\w+", name) and (value or name == "CapabilityBoundingSet")
        for _, name, value in unit_lines()
    )
    if analyze := shutil.which("systemd-analyze"):
        here = tmp_path / "router.service"
        text = UNIT.read_text(encoding="utf-8").replace("/opt/router/.venv/bin/router", "/bin/true")
        here.write_text(text, encoding="utf-8")
        done = subprocess.run([analyze, "verify", str(here)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


def test_the_service_runs_with_what_the_unit_sets(tmp_path: Path) -> None:
    given = [value for _, name, value in unit_lines() if name == "Environment"]
    for credential in ("webhook_password", "api_keys"):
        (tmp_path / credential).write_text("ops:operator:" + "k" * 32)
    loaded = [value.split(":")[0] for _, name, value in unit_lines() if name == "LoadCredential"]
    assert loaded == ["webhook_password", "api_keys"]
    environ = dict(pair.replace("%d", str(tmp_path)).split("=", 1) for pair in given)
    environment, warnings = read_environment(environ)
    assert (check_exposure(environment), warnings) == ((), ())
    settings = {name: value for _, name, value in unit_lines()}
    folder = f"/var/lib/{settings['StateDirectory']}"
    assert environment.database.reveal() == f"sqlite+aiosqlite:///{folder}/router.db"
    assert (
        float(settings["TimeoutStopSec"]) > EXIT_TIMEOUT_S > 2 * SHUTDOWN_GRACE_S + DRAIN_TIMEOUT_S
    )


def test_the_service_may_do_no_more_than_it_must() -> None:
    settings = {name: value for _, name, value in unit_lines()}
    assert settings["User"] == "router"
    assert settings["ProtectSystem"] == "strict"
    assert settings["CapabilityBoundingSet"] == ""
    wanted = (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "LockPersonality",
        "MemoryDenyWriteExecute",
        "RestrictNamespaces",
        "RestrictSUIDSGID",
    )
    assert [name for name in wanted if settings.get(name) != "yes"] == []


def directives(text: str) -> dict[str, list[tuple[str, ...]]]:
    """Return the directives of an nginx configuration by the block they stand in."""
    found: dict[str, list[tuple[str, ...]]] = {}
    stack = [""]
    bare = re.sub(r"#.*", "", text)
    for words, end in re.findall(r"([^{};]*)([{};])", bare):
        if end == "{":
            stack.append(" ".join(words.split()))
        elif end == ";":
            found.setdefault(stack[-1], []).append(tuple(words.split()))
        else:
            assert not words.strip(), f"no semicolon after {words.strip()}"
            stack.pop()
    assert stack == [""]
    return found


def test_nginx_passes_what_the_router_takes_and_waits_as_long_as_cometchat() -> None:
    found = directives(NGINX)
    upstream = {words[0]: words[1] for words in found["upstream router"]}
    webhook = {words[0]: words[1] for words in found["location = /webhook"]}
    server = found["server"]
    assert float(upstream["keepalive_timeout"].rstrip("s")) < IDLE
    assert ("proxy_set_header", "Connection", '""') in server
    assert ("proxy_http_version", "1.1") in server
    assert ("client_max_body_size", f"{MAX_BODY_BYTES // 1024 // 1024}m") in server
    assert float(webhook["proxy_read_timeout"].rstrip("s")) == COMETCHAT
    assert float(webhook["proxy_connect_timeout"].rstrip("s")) < COMETCHAT
    assert found["location /"] == [("return", "404")]
    assert ("deny", "all") in found["location /v1/"]


def test_caddy_does_the_same() -> None:
    assert CADDY.count("{") == CADDY.count("}")
    [size] = re.findall(r"max_size (\d+)MiB", CADDY)
    assert int(size) * 1024 * 1024 == MAX_BODY_BYTES
    keepalives = re.findall(r"keepalive ([\d.]+)s", CADDY)
    assert len(keepalives) == CADDY.count("reverse_proxy")
    assert all(float(seconds) < IDLE for seconds in keepalives)
    [answer] = re.findall(r"response_header_timeout ([\d.]+)s", CADDY)
    assert float(answer) == COMETCHAT
    assert re.search(r"handle \{\s+respond 404\s+\}", CADDY)


class Alert(msgspec.Struct, forbid_unknown_fields=True):
    alert: str
    expr: str
    annotations: dict[str, str]
    wait: str = msgspec.field(name="for")


class Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rules: list[Alert]


ALERTS = [
    alert
    for group in msgspec.yaml.decode(
        (ROOT / "docker/alerts.yml").read_bytes(), type=dict[str, list[Group]]
    )["groups"]
    for alert in group.rules
]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.alert)
def test_an_alert_asks_for_metrics_and_labels_that_exist(alert: Alert) -> None:
    known = {exposed_name(metric): set(metric._labelnames) for metric in read_metrics()}
    known |= {f"{name}_bucket": labels | {"le"} for name, labels in known.items()}
    named = set(re.findall(r"\brouter_\w+", alert.expr))
    assert named <= known.keys()
    labels = {label for name in named for label in known[name]} | {"job", "le"}
    used = re.findall(r"(\w+)=", alert.expr) + re.findall(r"by \((\w+)\)", alert.expr)
    used += re.findall(r"\$labels\.(\w+)", alert.annotations["summary"])
    assert set(used) <= labels
    assert named or alert.expr.startswith("up")
    assert re.fullmatch(r"\d+m", alert.wait)


def test_the_page_says_how_often_the_container_is_asked() -> None:
    [seconds] = re.findall(r"--interval=(\d+)s", (ROOT / "docker/Dockerfile").read_text())
    assert f"`/health/ready` every {seconds} s." in (ROOT / "docs/howto/deploy.md").read_text()
