"""`backup` copies a database whole, for its owner alone, and over nothing."""

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from router.store.db import backup
from tests.conftest import url_of


@pytest.fixture
def router(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ROUTER_DATABASE", url_of(database_file))
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


def test_a_backup_is_a_database_for_its_owner_alone(
    router: Callable[..., Result], database_file: Path, tmp_path: Path
) -> None:
    fill(database_file, 3000)
    copy = tmp_path / "copy.db"
    result = router("backup", copy)
    assert result.exit_code == 0, result.output
    assert f"{copy}: {copy.stat().st_size} bytes, verified" in result.output
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert count(copy) == 3000
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]


def fill(path: Path, rows: int) -> None:
    connection = sqlite3.connect(path)
    with connection:
        values = ((f"{number}", b"x" * 5000) for number in range(rows))
        connection.executemany("INSERT INTO payloads VALUES (?, ?)", values)
    connection.close()


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT count(*) FROM payloads").fetchone()
    connection.close()
    return int(found)


def test_what_is_written_while_it_copies_changes_nothing_and_does_not_wait(
    database_file: Path, tmp_path: Path
) -> None:
    sqlite3.connect(database_file).execute("PRAGMA journal_mode=WAL").close()
    fill(database_file, 4000)
    told: list[tuple[int, int]] = []

    def write(done: int, pages: int) -> None:
        told.append((done, pages))
        writer = sqlite3.connect(database_file, timeout=0)
        with writer:
            writer.execute("INSERT INTO payloads VALUES (?, ?)", (f"late-{done}", b"x" * 5000))
        writer.close()

    backup.back_up(database_file, tmp_path / "copy.db", write)
    assert count(tmp_path / "copy.db") == 4000
    assert len(told) >= 3
    assert told == sorted(told)
    assert {pages for _, pages in told} == {told[0][1]}
    assert told[-1][0] == told[-1][1]
    assert count(database_file) == 4000 + len(told)


def test_nothing_is_written_over(router: Callable[..., Result], tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("precious")
    result = router("backup", there)
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert there.read_text() == "precious"


@pytest.mark.parametrize("target", ["absent/copy.db", "copy.db/"])
def test_a_place_that_cannot_be_written_is_named(
    router: Callable[..., Result], tmp_path: Path, target: str
) -> None:
    result = router("backup", f"{tmp_path}/absent/{target}")
    assert result.exit_code == 1
    assert "cannot be created" in result.stderr


def test_a_copy_that_is_not_sound_does_not_appear(
    router: Callable[..., Result], database_file: Path, tmp_path: Path
) -> None:
    fill(database_file, 200)
    content = bytearray(database_file.read_bytes())
    content[-4096 * 20 : -4096 * 10] = bytes(4096 * 10)
    database_file.write_bytes(content)
    result = router("backup", tmp_path / "copy.db")
    assert result.exit_code == 1
    assert "not sound" in result.stderr or "malformed" in result.stderr
    assert list(tmp_path.glob("copy.db*")) == []


def test_a_backup_that_is_broken_off_leaves_nothing(database_file: Path, tmp_path: Path) -> None:
    def break_off(_done: int, _pages: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.back_up(database_file, tmp_path / "copy.db", break_off)
    assert list(tmp_path.glob("copy.db*")) == []


def test_without_a_name_it_is_named_after_the_time(
    router: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert router("backup").exit_code == 0
    assert len(list(tmp_path.glob("router-2*Z.db"))) == 1


def test_postgresql_is_told_its_own_command_without_the_password(
    router: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+asyncpg://ann:hunter2@db.example:5433/router"
    monkeypatch.setenv("ROUTER_DATABASE", url)
    result = router("backup", "copy of it.dump")
    assert result.exit_code == 1
    assert (
        "pg_dump --format=custom --file='copy of it.dump' "
        "postgresql://ann@db.example:5433/router" in result.stderr
    )
    assert "hunter2" not in result.output


def test_a_database_that_is_not_there_is_named(
    router: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_DATABASE", url_of(tmp_path / "absent.db"))
    result = router("backup", tmp_path / "copy.db")
    assert result.exit_code == 1
    assert "absent.db" in result.stderr
    assert not (tmp_path / "absent.db").exists()
