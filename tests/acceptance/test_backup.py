"""A copy made under load starts, and delivers what waited when it was made."""

import json
import time
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.acceptance.client import call, chat, post, read_metrics, wait_for
from tests.acceptance.router_process import live, run_router, running
from tests.acceptance.webhook_gateway import Gateway
from tests.conftest import url_of

pytestmark = pytest.mark.slow

PENDING = 40
HELD = 'router_channel_held{cause="paused",channel="gateway"}'
LATEST = 1.5
"""Seconds after which the router would answer 503."""


def test_a_copy_made_under_load_delivers_what_was_pending(tmp_path: Path, gateway: Gateway) -> None:
    rules = tmp_path / "rules.yaml"
    channel = {"plugin": "webhook", "url": gateway.url}
    rules.write_text(
        f"version: 1\nchannels:\n  gateway: {json.dumps(channel)}\n"
        "rules:\n  - {name: all, send: [gateway]}\n"
    )
    settings = live(tmp_path)
    copy = tmp_path / "copy.db"
    before = [f"before {number}" for number in range(PENDING)]
    with running(tmp_path, settings) as router:
        held = call(f"{router.url}/v1/channels/gateway/pause", {"seconds": 600})
        assert held[0] == 200
        wait_for(lambda: read_metrics(router).get(HELD) == 1)
        assert {post(router, chat(text)) for text in before} == {200}
        answers: list[tuple[int, float]] = []
        over, numbers = Event(), count()

        def load() -> None:
            while not over.is_set():
                began = time.monotonic()
                status = post(router, chat(f"meanwhile {next(numbers)}"))
                answers.append((status, time.monotonic() - began))

        clients = [Thread(target=load) for _ in range(4)]
        for client in clients:
            client.start()
        done = run_router("backup", str(copy), environ=settings)
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
        call(f"{restored.url}/v1/channels/gateway/resume", {})
        wait_for(lambda: set(before) <= set(gateway.texts))
    assert len(gateway.texts) == len(set(gateway.texts))
