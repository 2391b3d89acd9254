import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
import structlog
from hypothesis import settings

from router.store.db.database import Database, migrate
from tests.postgres import Databases, Missing, Server, running_postgres, shared_postgres

T = TypeVar("T")

settings.register_profile("patient", deadline=None)  # a busy machine proves nothing
settings.load_profile("patient")


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo what a test that serves or runs a command does to the logging of this process."""
    root, ours = logging.getLogger(), logging.getLogger("router")
    before = root.handlers, root.level, ours.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level, ours.level = before


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    asyncio.run(migrate(url_of(path)))
    return path


@pytest.fixture
def database_file(tmp_path: Path, migrated: Path) -> Path:
    path = tmp_path / "router.db"
    shutil.copy(migrated, path)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """The PostgreSQL that the tests share."""
    yield from _run(shared_postgres)


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """A PostgreSQL that the test may stop and kill."""
    yield from _run(running_postgres)


def _run(server: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    try:
        with server() as running:
            yield running
    except Missing as error:
        if os.environ.get("ROUTER_TEST_ALLOW_MISSING") == "postgres":
            pytest.skip(f"no PostgreSQL: {error}")
        pytest.fail(
            f"{error}\nROUTER_TEST_ALLOW_MISSING=postgres leaves its tests out", pytrace=False
        )


@pytest.fixture
def postgres_url(postgres: Databases) -> Iterator[str]:
    """A fresh migrated database on the shared server."""
    url = postgres.borrow_database()
    yield url
    postgres.return_database(url)


@pytest.fixture(params=("sqlite", "postgres"))
def make_url(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What makes fresh migrated databases, of each kind in turn, and returns their URLs."""
    if request.param == "postgres":
        postgres = request.getfixturevalue("postgres")
        urls: list[str] = []

        def make() -> str:
            urls.append(postgres.borrow_database())
            return urls[-1]

        yield make
        for url in urls:
            postgres.return_database(url)
        return
    folder, migrated = (request.getfixturevalue(name) for name in ("tmp_path", "migrated"))
    numbers = count(1)
    yield lambda: url_of(shutil.copy(migrated, folder / f"database-{next(numbers)}.db"))


@pytest.fixture
def database_url(make_url: Callable[[], str]) -> str:
    """A fresh migrated database of each kind."""
    return make_url()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_database(database_file: Path) -> AsyncIterator[Database]:
    database = await Database.open(url_of(database_file))
    yield database
    await database.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out because it was allowed to."""
    skipped = terminalreporter.stats.get("skipped", [])
    missing = [each for each in skipped if "no PostgreSQL: " in str(each.longrepr)]
    if missing:
        terminalreporter.section(f"{len(missing)} tests of PostgreSQL WERE NOT RUN", sep="!")
