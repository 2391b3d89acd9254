"""`migrate`, `deliveries` and `dead` on a real database."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from tests.conftest import url_of


@pytest.fixture
def router(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ROUTER_DATABASE", url_of(database_file))
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


def test_migrate_makes_a_database_and_may_be_repeated(
    router: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_DATABASE", url_of(tmp_path / "new.db"))
    first, second = router("migrate"), router("migrate")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output == second.output
    assert (tmp_path / "new.db").exists()


def test_a_database_that_was_never_migrated_is_refused_with_the_command(
    router: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_DATABASE", url_of(tmp_path / "absent.db"))
    result = router("deliveries")
    assert result.exit_code == 1
    assert "router migrate" in result.stderr
    assert not (tmp_path / "absent.db").exists()


def test_lists_of_an_empty_database_are_empty(router: Callable[..., Result]) -> None:
    for verb in (["deliveries"], ["dead", "list"]):
        result = router(*verb, "--format", "json")
        assert json.loads(result.stdout) == {"items": [], "next": None}
        assert router(*verb).exit_code == 0


def test_retry_and_drop_want_ids_or_a_filter_but_not_both(router: Callable[..., Result]) -> None:
    for verb in ("retry", "drop"):
        assert router("dead", verb).exit_code == 2
        assert router("dead", verb, "some-id", "--all").exit_code == 2
        assert router("dead", verb, "--all").output.startswith("0 ")


def test_a_cursor_that_no_list_gave_is_refused(router: Callable[..., Result]) -> None:
    result = router("deliveries", "--cursor", "nonsense")
    assert result.exit_code == 1
    assert "leave it out to start" in result.stderr
