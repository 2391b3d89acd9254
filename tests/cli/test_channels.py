"""`router channels` beside a router, on a real database."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from router.queue.engine import SqlQueue
from router.store.db.database import Database
from tests.conftest import url_of

RULES = """
version: 1
channels:
  gateway: {plugin: webhook, url: "https://gateway.example/notify"}
  ops: {plugin: webhook, url: "https://ops.example/notify"}
rules:
  - name: all
    send: [gateway]
"""


@pytest.fixture
def router(
    database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    monkeypatch.setenv("ROUTER_DATABASE", url_of(database_file))
    monkeypatch.setenv("ROUTER_RULES", str(rules))
    return lambda *args: CliRunner().invoke(main, ["channels", *args])


def held(router: Callable[..., Result]) -> dict[str, list[str]]:
    page = json.loads(router("list", "--format", "json").stdout)
    return {item["name"]: [hold["cause"] for hold in item["holds"]] for item in page["items"]}


def test_a_channel_is_paused_listed_and_resumed(router: Callable[..., Result]) -> None:
    assert router("pause", "gateway").output == "gateway: paused until resumed\n"
    assert held(router) == {"gateway": ["paused"], "ops": []}
    lines = router("list").output.splitlines()
    assert lines[0].split("\t")[:2] == ["channel", "held"]
    assert lines[1].startswith("gateway\tpaused until resumed\t0\t0\t0")
    assert router("resume", "gateway").output == "gateway: not held\n"
    assert held(router) == {"gateway": [], "ops": []}


def test_a_pause_may_end_by_itself(router: Callable[..., Result]) -> None:
    assert router("pause", "ops", "--for", "10m").output.startswith("ops: paused until 2")
    wrong = router("pause", "ops", "--for", "soon")
    assert (wrong.exit_code, "write 45s" in wrong.stderr) == (2, True)


def test_an_unknown_channel_is_refused_with_the_nearest(router: Callable[..., Result]) -> None:
    for verb in ("pause", "resume"):
        refused = router(verb, "gatewya")
        assert refused.exit_code == 1
        assert "gateway" in refused.stderr
    assert held(router) == {"gateway": [], "ops": []}


def test_with_broken_rules_what_is_held_can_still_be_resumed(
    router: Callable[..., Result], database_file: Path, tmp_path: Path
) -> None:
    async def hold() -> None:
        database = await Database.open(url_of(database_file))
        await SqlQueue(database).pause("old", cause="suspended", until=4e9)
        await database.close()

    asyncio.run(hold())
    (tmp_path / "rules.yaml").write_text("rules: [")
    assert "old (not in the rules)" in router("list").output
    result = router("resume", "old")
    assert (result.exit_code, result.stdout) == (0, "old: not held\n")
    assert "has errors" in result.stderr
