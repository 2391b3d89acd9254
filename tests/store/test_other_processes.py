"""Whether another router works on the same database."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from router.store.db.sqlite_presence import Presence, announce_presence
from tests.conftest import url_of

ELSEWHERE = """
import sys
from router.store.db.sqlite_presence import announce_presence
with announce_presence(sys.argv[1]) as presence:
    print(presence.alone, flush=True)
    presence.admit()
    sys.stdin.read()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path / "router.db")


def is_alone(url: str) -> bool:
    with announce_presence(url) as presence:
        return presence.alone


def test_the_first_is_alone_and_who_comes_later_is_not(url: str, tmp_path: Path) -> None:
    with announce_presence(url) as first:
        assert first.alone
        first.admit()
        with announce_presence(url) as second:
            assert not second.alone
            second.admit()
        assert not is_alone(url)
    assert is_alone(url)
    assert (tmp_path / "router.db.lock").stat().st_mode & 0o777 == 0o600


def test_who_is_alone_lets_nobody_in_before_it_is_ready(url: str) -> None:
    with announce_presence(url) as first, announce_presence(url) as second:
        waiting = Thread(target=second.admit, daemon=True)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        first.admit()
        waiting.join(5)
        assert not waiting.is_alive()


def test_a_process_that_is_killed_is_gone(url: str) -> None:
    command = [sys.executable, "-c", ELSEWHERE, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not is_alone(url)
        other.kill()
        other.wait()
        assert is_alone(url)


def test_nobody_is_alone_where_there_can_be_no_lock(tmp_path: Path) -> None:
    assert not is_alone("postgresql+asyncpg://nobody@db.example/router")
    assert not is_alone(url_of(tmp_path / "absent" / "router.db"))
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)
    assert not Presence(reading).alone
