"""What an orchestrator asks."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from router.store.db.database import Database
from router.store.errors import StoreUnavailable
from router.web import health
from router.web.app import build_site
from tests.web.harness import RULES, Harness, connect, open_harness


class Silent(Database):
    """A database that never answers."""

    def __init__(self) -> None:
        pass

    async def check(self) -> None:
        await asyncio.Event().wait()


class Gone(Silent):
    """A database that cannot be read."""

    async def check(self) -> None:
        raise StoreUnavailable("hunter2")


async def test_a_process_that_answers_is_live(harness: Harness) -> None:
    answer = await harness.client().get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"message": "live"})


async def test_without_rules_it_is_not_ready(harness: Harness) -> None:
    answer = await harness.client().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "message": "service unavailable",
        "detail": "not ready; see `problems`",
        "problems": [
            {"path": "rules", "reason": "no rules are in force; payloads are accepted and wait"}
        ],
    }


async def test_with_rules_it_is_ready(harness: Harness) -> None:
    harness.file.write_text(RULES)
    await harness.rulebook.reload()
    answer = await harness.client().get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"message": "ready"})


async def test_without_its_database_it_is_live_and_not_ready(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DATABASE_TIMEOUT_S", 0.01)
    for database in (Silent(), Gone()):
        client = connect(build_site(replace(harness.site, database=database)))
        assert (await client.get("/health/live")).status_code == 200
        answer = await client.get("/health/ready")
        assert answer.status_code == 503
        assert [problem["path"] for problem in answer.json()["problems"]] == ["database", "rules"]
        assert "hunter2" not in answer.text


async def test_metrics_are_what_prometheus_reads(harness: Harness) -> None:
    answer = await harness.client().get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=1.0.0; charset=utf-8"
    assert answer.text == "router_example 1.0\n"


async def test_it_is_ready_and_says_so_when_sending_is_stopped(tmp_path: Path) -> None:
    async with open_harness(tmp_path, rules=RULES, is_stopped=lambda: True) as harness:
        answer = await harness.client().get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"message": "ready", "sending": "stopped"})
