"""A live router whose every secret is a canary, put through everything that can go wrong."""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from router.cli import main
from router.registry import load_plugins
from router.samples import SAMPLE_NAMES, read_sample, restamp
from tests import ROOT
from tests.acceptance.router_process import PATIENCE, RouterProcess, clean_environ, run_router
from tests.conftest import url_of
from tests.secrecy.canaries import Canaries
from tests.secrecy.secret_settings import Settings, make_channels

PLUGINS = ROOT / "tests/testdata/leaky"
APP = "app123"
UID = "cometchat-uid-2"
ROUNDS = 9
"""Notifications to each channel: one for each way in which its provider answers, and one more."""


class Harness:
    """The files, the settings and the requests of one router."""

    def __init__(self, folder: Path, rewrite: Mapping[str, str]) -> None:
        self.folder = folder
        self.canaries = Canaries()
        self.rules = folder / "rules.yaml"
        self.database = folder / "router.db"
        self.seen: list[bytes] = []
        """Every answer of the API."""
        schemas = load_plugins(PLUGINS).schemas
        self.channels = make_channels(schemas, self.canaries)
        self.settings = self._settings()
        self.write_rules()
        self.process = LaunchedRouter(folder, self.settings, json.dumps(rewrite))

    def _settings(self) -> dict[str, str]:
        canaries = self.canaries
        self.password = f'{canaries["webhook password"]}/+"é'
        self.key = canaries["operator key"]
        return {
            "ROUTER_RULES": str(self.rules),
            "ROUTER_DATABASE": url_of(self.database),
            "ROUTER_PLUGINS_DIR": str(PLUGINS),
            "ROUTER_WEBHOOK_USER": "cometchat",
            "ROUTER_WEBHOOK_PASSWORD": self.password,
            "ROUTER_WEBHOOK_PASSWORD_PREVIOUS": canaries["previous password"],
            "ROUTER_API_KEYS": f"ops:operator:{self.key},app:recipients:{canaries['other key']}",
            "SHATTERED_PASSWORD": canaries["secret of a broken plugin"],
            "PYTHONFAULTHANDLER": "1",
            "ROUTER_WEBHOOK_SECRET": canaries["webhook secret"],
            "ROUTER_LOG_LEVEL": "debug",
            "ROUTER_LOG_FORMAT": "json",
        }

    def write_rules(self) -> None:
        """Write each channel twice: its settings in the file itself, and in the environment."""
        lines = ["version: 1", "channels:"]
        names: list[str] = []
        for name, (plugin, settings) in self.channels.items():
            lines.append(f"  {name}: {json.dumps({'plugin': plugin, **settings})}")
            borrowed = dict(self._borrow(name, settings))
            lines.append(f"  {name}-env: {json.dumps({'plugin': plugin, **borrowed})}")
            names += [name, f"{name}-env"]
        lines += ["rules:", "  - name: all", f"    send: [{', '.join(names)}]"]
        lines += ["    enrich: {body: '{{ body }} {{ sentAt | date(custom.form) }}'}"]
        self.rules.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _borrow(self, channel: str, settings: Settings) -> Iterator[tuple[str, Any]]:
        for key, value in settings.items():
            if isinstance(value, dict):
                yield key, dict(self._borrow(f"{channel}-{key}", value))
            elif isinstance(value, str):
                name = f"SETTING_{channel}_{key}".replace("-", "_").upper()
                self.settings[name] = value
                yield key, f"${{env:{name}}}"
            else:
                yield key, value

    def basic(self, password: str) -> str:
        return "Basic " + base64.b64encode(f"cometchat:{password}".encode()).decode()

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send a request; the answer, headers and all, is kept."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
        named = {"Authorization": f"Bearer {self.key}"} | headers
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.process.url + path, data, named, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback
                status, said, content = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, said, content = error.code, error.headers, error.read()
        self.seen.append(f"{method} {status} {said}".encode() + content)
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content

    def post(self, payload: object, authorization: str = "") -> int:
        given = authorization or self.basic(self.password)
        return self.call("POST", "/webhook", payload, Authorization=given)[0]

    def run(self, *args: str, **more: str) -> str:
        """Return everything a verb of the command line prints, and what it raises."""
        environ = dict.fromkeys(os.environ) | clean_environ() | self.settings | more
        result = CliRunner().invoke(main, args, env=environ)
        return f"{result.output} {result.exception!r}"

    def run_apart(self, *args: str, **more: str) -> str:
        """Return everything that a verb prints in a process of its own."""
        done = run_router(*args, environ=self.settings | more)
        return done.stdout + done.stderr

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield every value in the database with its table."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name of ours
                yield from ((table, _text(value)) for value in row)
        connection.close()

    def reasons(self) -> str:
        """Return the words of all attempts."""
        return "\n".join(text for table, text in self.texts() if table == "attempts")

    def files(self) -> bytes:
        """Return the bytes of the database, its log of writes too."""
        return b"".join(path.read_bytes() for path in self.folder.glob("router.db*"))


class LaunchedRouter(RouterProcess):
    """The real router, providers' hosts pointed at loopback."""

    def start(self, path: str = "/health/ready") -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-m", "tests.secrecy.launcher", *self._args],
                env=self._environ | {"PYTHONWARNINGS": "default"},
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        self.wait(path)

    def restart(self, log_format: str) -> None:
        """End the router in an orderly way, and start it again with another format of its log."""
        assert self.end() == 0
        self._environ["ROUTER_LOG_FORMAT"] = log_format
        self.start()

    def wait(self, path: str) -> None:
        """Return when the router answers."""
        deadline = time.monotonic() + PATIENCE
        while not self._answers(path):
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def abort(self) -> None:
        """Let the interpreter write down where every thread is, and die."""
        assert self.end(signal.SIGABRT) == -signal.SIGABRT


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def make_payload(number: int, canaries: Canaries) -> dict[str, Any]:
    """Return a sample of CometChat's, with what opens a call in every object of it."""
    name = SAMPLE_NAMES[number % len(SAMPLE_NAMES)]
    payload: dict[str, Any] = restamp(read_sample(name), now=time.time(), story=f"secrecy-{number}")
    payload["appId"] = APP
    infest(payload, canaries[f"call secret in {name}"])
    data = payload["data"]
    data["to"]["uid"] = UID
    data.setdefault("notificationDetails", {})["custom"] = {"form": "%Q"}  # no template takes it
    return payload


def infest(value: object, canary: str) -> None:
    """Put a call's socket, as CometChat writes it, and its like into every object."""
    if isinstance(value, list):
        for item in value:
            infest(item, canary)
    if isinstance(value, dict):
        for item in value.values():
            infest(item, canary)
        value["wsChannel"] = {"identity": "call", "secret": canary, "service": "jitsi"}
        value["authToken"] = value["apiKey"] = value["SECRET"] = value["password"] = canary
