"""How long a run is, and on which databases.

`make chaos` sets `ROUTER_TEST_CHAOS=long`: hundreds of kills instead of three
(`ROUTER_TEST_KILLS` says how many), and every test on both databases. As a part of all tests the
suite is short, and of what takes the lease of a dead process to run out only SQLite is tried.
"""

import os
import random
from pathlib import Path

import pytest

from tests.conftest import url_of

LONG = os.environ.get("ROUTER_TEST_CHAOS") == "long"
KILLS = int(os.environ.get("ROUTER_TEST_KILLS", "200" if LONG else "3"))
DATABASES = ("sqlite", "postgres") if LONG else ("sqlite",)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.name)  # noqa: S311 - no secret


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return url_of(tmp_path / "router.db")
