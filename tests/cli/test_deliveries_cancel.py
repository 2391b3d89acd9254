"""`router deliveries cancel` on a real database."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from router.store.db.database import Database
from tests.conftest import url_of
from tests.queue.rows import START, QueueRows
from tests.queue.test_sql_engine import SqlEngine


@pytest.fixture
def router(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    url = url_of(database_file)

    async def fill() -> None:
        database = await Database.open(url)
        queue_rows = QueueRows(SqlEngine.over(database), numbers=count(int(START * 1000) << 64))
        for _ in range(3):
            await queue_rows.put(channel="text", rule="calls")
        await queue_rows.put(channel="mail")
        await database.close()

    asyncio.run(fill())
    monkeypatch.setenv("ROUTER_DATABASE", url)
    return lambda *args: CliRunner().invoke(main, ["deliveries", *args])


def states(router: Callable[..., Result]) -> list[str]:
    rows = [line.split("\t") for line in router().stdout.splitlines()[1:]]
    return sorted(f"{row[3]} {row[6]}" for row in rows)


def test_they_are_counted_by_channel_and_rule_before_anything_happens(
    router: Callable[..., Result],
) -> None:
    result = router("cancel", "--channel", "text", "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout
        == "channel\trule\twaiting\tsending\ntext\tcalls\t3\t0\n3 deliveries to cancel\n"
    )
    assert states(router) == ["mail waiting", *["text waiting"] * 3]


def test_where_nobody_can_be_asked_they_are_cancelled_only_with_yes(
    router: Callable[..., Result],
) -> None:
    refused = router("cancel", "--rule", "calls")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert states(router) == ["mail waiting", *["text waiting"] * 3]
    done = router("cancel", "--rule", "calls", "--since", "2026-01-01", "--yes")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "3 cancelled")
    assert states(router) == ["mail waiting", *["text cancelled"] * 3]
    assert router("cancel", "--all", "--yes").stdout.endswith("1 cancelled\n")
    assert router("cancel", "--all").stdout == "0 deliveries to cancel\n"


def test_a_person_is_asked_and_may_decline(
    router: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.cli.deliveries.is_interactive", lambda: True)
    declined = CliRunner().invoke(main, ["deliveries", "cancel", "--all"], input="n\n")
    assert declined.exit_code == 1
    assert "waiting" in "".join(states(router))
    agreed = CliRunner().invoke(main, ["deliveries", "cancel", "--all"], input="y\n")
    assert agreed.exit_code == 0
    assert agreed.stdout.endswith("4 cancelled\n")


def test_what_to_cancel_must_be_said(router: Callable[..., Result]) -> None:
    for wrong in (["cancel"], ["cancel", "--all", "--rule", "calls"], ["cancel", "--since", "x"]):
        assert router(*wrong, "--yes").exit_code == 2
    before = router("--channel", "text", "cancel", "--all", "--yes")
    assert before.exit_code == 2
    assert "after cancel" in before.stderr
    assert states(router) == ["mail waiting", *["text waiting"] * 3]


def test_sending_is_stopped_and_started_again(
    router: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROUTER_RULES", str(tmp_path / "none.yaml"))
    stopped = CliRunner().invoke(main, ["stop-sending"])
    assert (stopped.exit_code, "start-sending" in stopped.stdout) == (0, True)
    assert CliRunner().invoke(main, ["channels", "list"]).stdout.count("stopped until") == 2
    assert CliRunner().invoke(main, ["start-sending"]).exit_code == 0
    assert "stopped" not in CliRunner().invoke(main, ["channels", "list"]).stdout
