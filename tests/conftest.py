import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.store.database import Database, migrate


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


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


@pytest.fixture
async def database(database_file: Path) -> AsyncIterator[Database]:
    database = await Database.open(url_of(database_file))
    yield database
    await database.close()
