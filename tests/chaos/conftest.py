"""How long a run is, and on which databases.

`make chaos` sets `ROUTER_TEST_CHAOS=long`: hundreds of kills instead of three
(`ROUTER_TEST_KILLS` says how many), the tests marked `long`, and each of them on both databases.
As a part of all tests the suite is short and on SQLite alone.
"""

import os
import random
from pathlib import Path

import pytest

from tests.conftest import url_of

LONG = os.environ.get("ROUTER_TEST_CHAOS") == "long"
KILLS = int(os.environ.get("ROUTER_TEST_KILLS", "200" if LONG else "3"))
DATABASES = ("sqlite", "postgres") if LONG else ("sqlite",)

MISSING: list[str] = []
"""What could not be tried as it should be, told at the end."""


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.name)  # noqa: S311 - no secret


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return url_of(tmp_path / "router.db")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these tests to `make test-slow`, long ones to `make chaos`, one to `make soak`."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)
    wanted = {"long": LONG, "soak": "ROUTER_TEST_SOAK" in os.environ}
    left_out = [
        item
        for item in items
        if any(item.get_closest_marker(mark) and not wanted[mark] for mark in wanted)
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what stood in for what cannot be done here."""
    for missing in MISSING:
        terminalreporter.section(missing, sep="!")
