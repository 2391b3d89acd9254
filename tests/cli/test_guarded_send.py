"""`router send` under ROUTER_ONLY_RECIPIENTS goes to addresses of those recipients alone."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from router.store.db.database import Database
from router.store.recipients.repository import Recipients
from router.store.recipients.validation import ProfilePatch
from tests.conftest import url_of

RULES = """\
version: 1
channels:
  hook: {plugin: apprise, url: "ntfy://127.0.0.1:9/{to}"}
  room: {plugin: apprise, url: "json://127.0.0.1:9/room"}
rules: [{name: all, send: [hook, room]}]
"""


@pytest.fixture
def send(
    database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    url = url_of(database_file)

    async def fill() -> None:
        database = await Database.open(url)
        for uid in ("qa-1", "bob"):
            change = ProfilePatch(contacts={"apprise": f"of-{uid}"})
            await Recipients(database).put(uid, change, "app")
        await database.close()

    asyncio.run(fill())
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    monkeypatch.setenv("ROUTER_DATABASE", url)
    monkeypatch.setenv("ROUTER_RULES", str(rules))
    monkeypatch.setenv("ROUTER_ONLY_RECIPIENTS", "qa-*")
    return lambda *args: CliRunner().invoke(main, ["send", *args])


def test_it_sends_to_whom_the_guard_permits_alone(send: Callable[..., Result]) -> None:
    for args in (["--channel", "hook", "--to", "of-bob"], ["--channel", "hook", "--to", "anybody"]):
        refused = send(*args)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "ROUTER_ONLY_RECIPIENTS" in refused.stderr
    refused = send("--channel", "room")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "fixed destination" in refused.stderr
    assert "send: " in send("--channel", "hook", "--to", "of-qa-1").stdout


def test_a_sandbox_shows_any_request(
    send: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_SANDBOX", "true")
    assert send("--channel", "room").exit_code == 0
