"""What `router recipients import` keeps and tells of auth tokens: nothing."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli import main
from router.core.model.payload import Json


def test_no_auth_token_is_kept_or_told(
    database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTER_DATABASE", f"sqlite+aiosqlite:///{database_file}")
    bad: Json = {
        "uid": "omar",
        "appId": "app123",
        "devices": [{"authToken": "very-secret", "x": 1}],
    }
    good: Json = {
        "uid": "eve",
        "appId": "app123",
        "devices": [{"platform": "fcm_web", "token": "t", "authToken": "very-secret"}],
    }
    file = tmp_path / "people.jsonl"
    file.write_text(f"{json.dumps(bad)}\n{json.dumps(good)}\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["recipients", "import", str(file)])
    assert done.exit_code == 1
    assert "very-secret" not in done.output
    with sqlite3.connect(database_file) as connection:
        assert "very-secret" not in "\n".join(connection.iterdump())
    connection.close()
