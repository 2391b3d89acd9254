"""A copy made under load starts, and delivers what waited when it was made."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from threading import Event, Thread

from tests.acceptance.gateway import listening
from tests.acceptance.process import ROOT, RouterProcess, clean_environ, running
from tests.acceptance.test_broken_files import KEY, call, post, wait_for
from tests.conftest import url_of

PENDING = 40
LATEST = 1.5
"""Seconds after which the router would answer 503."""


def test_a_copy_made_under_load_delivers_what_was_pending(tmp_path: Path) -> None:
    with listening() as gateway:
        rules = tmp_path / "rules.yaml"
        channel = {"plugin": "webhook", "url": gateway.url}
        rules.write_text(
            f"version: 1\nchannels:\n  gateway: {json.dumps(channel)}\n"
            "rules:\n  - {name: all, send: [gateway]}\n"
        )
        settings = {
            "ROUTER_RULES": str(rules),
            "ROUTER_DATABASE": url_of(tmp_path / "router.db"),
            "ROUTER_WEBHOOK_USER": "cometchat",
            "ROUTER_WEBHOOK_PASSWORD": "a-password-for-tests",
            "ROUTER_API_KEYS": f"test:operator:{KEY}",
        }
        copy = tmp_path / "copy.db"
        before = [f"before {number}" for number in range(PENDING)]
        with running(tmp_path, settings) as router:
            held = call(
                f"{router.url}/v1/channels/gateway/pause", {"seconds": 600}, auth=f"Bearer {KEY}"
            )
            assert held[0] == 200
            wait_for(lambda: 'cause="paused",channel="gateway"} 1.0' in metrics_of(router))
            assert {post(router, text) for text in before} == {200}
            answers: list[tuple[int, float]] = []
            over = Event()

            def load() -> None:
                while not over.is_set():
                    began = time.monotonic()
                    status = post(router, f"meanwhile {len(answers)}")
                    answers.append((status, time.monotonic() - began))

            clients = [Thread(target=load) for _ in range(4)]
            for client in clients:
                client.start()
            done = subprocess.run(
                [sys.executable, "-m", "router.cli", "backup", str(copy)],
                env=clean_environ() | settings,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            over.set()
            for client in clients:
                client.join()
            assert done.returncode == 0, done.stderr
            assert len(answers) > 10
            assert {status for status, _ in answers} == {200}
            assert max(seconds for _, seconds in answers) < LATEST
            assert router.end() == 0
        assert gateway.taken == []

        with running(tmp_path, settings | {"ROUTER_DATABASE": url_of(copy)}) as restored:
            call(f"{restored.url}/v1/channels/gateway/resume", {}, auth=f"Bearer {KEY}")
            wait_for(lambda: set(before) <= set(gateway.texts))
        assert len(gateway.texts) == len(set(gateway.texts))


def metrics_of(router: RouterProcess) -> str:
    with urllib.request.urlopen(f"{router.url}/metrics", timeout=5) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())
