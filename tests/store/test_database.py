"""Opening, migrating and refusing databases."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import router.store.migrations
from router.store.db.database import SCHEMA_REVISION, Database, migrate
from router.store.errors import DatabaseUnusable, StoreUnavailable
from router.store.schema import metadata
from tests.conftest import url_of

SCHEMA = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"


def schema_of(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    found = {
        name: " ".join(sql.replace('"', "").split()) for name, sql in connection.execute(SCHEMA)
    }
    connection.close()
    return found


def stamp(path: Path, revision: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.commit()
    connection.close()


async def test_what_is_not_there_is_made_when_asked(tmp_path: Path) -> None:
    database = await Database.open(url_of(tmp_path / "new.db"), migrate=True)
    await database.check()
    await database.close()
    await (await Database.open(url_of(tmp_path / "new.db"))).close()


def test_the_migrations_make_what_the_tables_say(migrated: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema_of(migrated) == schema_of(tmp_path / "made.db")
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_revision_is_the_one_the_code_knows() -> None:
    folder = Path(router.store.migrations.__file__).parent
    scripts = ScriptDirectory(str(folder))
    assert scripts.get_heads() == [SCHEMA_REVISION]
    assert all(len(script.revision) == len(SCHEMA_REVISION) for script in scripts.walk_revisions())


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_nobody_else_can_read_what_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    database = await Database.open(url_of(path), migrate=True)
    await database.write(
        lambda c: c.execute(text("INSERT INTO holds VALUES ('a', 'paused', '', 1)"))
    )
    modes = modes_in(tmp_path)
    await database.close()
    assert set(modes.values()) == {0o600}
    assert "new.db-wal" in modes


async def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    assert await migrate(url_of(path)) == SCHEMA_REVISION
    before = schema_of(path)
    assert await migrate(url_of(path)) == SCHEMA_REVISION
    assert schema_of(path) == before


async def test_without_tables_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"new\.db has no tables yet; run: router migrate"):
        await Database.open(url_of(tmp_path / "new.db"))


async def test_an_older_one_is_refused_with_the_remedy(database_file: Path) -> None:
    stamp(database_file, "0000")
    with pytest.raises(DatabaseUnusable, match=r"is at revision 0000, not .*; run: router migrate"):
        await Database.open(url_of(database_file))


async def test_a_newer_one_is_refused_and_left_alone(database_file: Path) -> None:
    stamp(database_file, "9999")
    for attempt in (
        Database.open(url_of(database_file)),
        Database.open(url_of(database_file), migrate=True),
        migrate(url_of(database_file)),
    ):
        with pytest.raises(DatabaseUnusable, match="made by a newer version of the router"):
            await attempt


async def test_a_failed_migration_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "taken.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE rulesets (x)")
    connection.close()
    with pytest.raises(DatabaseUnusable, match=r"cannot be migrated: .*already exists"):
        await migrate(url_of(path))
    assert set(schema_of(path)) == {"rulesets"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "not a database URL; write sqlite"),
        ("nosuchdb://x", "use SQLite or PostgreSQL"),
        ("mysql+aiomysql://host/name", "use SQLite or PostgreSQL"),
        ("sqlite:///router.db", r"write sqlite\+aiosqlite://"),
        ("postgres://host/name", r"write postgresql\+asyncpg://"),
        ("postgresql+psycopg://host/name", r"write postgresql\+asyncpg://"),
        ("sqlite+aiosqlite://", "name a file"),
        ("sqlite+aiosqlite:///:memory:", "name a file"),
        ("sqlite+aiosqlite:////nowhere/at/all/router.db", "cannot be created: No such file"),
    ],
)
async def test_a_url_that_cannot_work_is_refused(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUnusable, match=reason):
        await Database.open(url, migrate=True)


async def test_no_credential_of_a_url_is_told() -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        await Database.open("postgresql+psycopg2://user:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in str(caught.value)


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("certainly no database, but long enough to be taken for one" * 100)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        await Database.open(url_of(path), migrate=True)


async def test_commits_are_synced_to_disk(sqlite_database: Database) -> None:
    found = await sqlite_database.write(
        lambda c: [
            c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
        ]
    )
    assert found == [2, "wal"]


async def test_reading_sees_what_was_committed_and_cannot_write(database: Database) -> None:
    await database.write(
        lambda c: c.execute(text("INSERT INTO holds VALUES ('a', 'paused', '', 1)"))
    )
    query = text("SELECT channel FROM holds")
    assert await database.read(lambda c: c.execute(query).scalar()) == "a"


async def test_many_queries_run_side_by_side(database: Database) -> None:
    query = text("SELECT 1")
    results = await asyncio.gather(
        *(database.read(lambda c: c.execute(query).scalar()) for _ in range(20))
    )
    assert results == [1] * 20


async def test_a_query_that_fails_is_unavailable(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await database.read(lambda c: c.execute(text("SELECT * FROM nowhere")).all())


def test_alembic_stays_out_where_there_is_nothing_to_migrate(database_file: Path) -> None:
    program = f"""
import asyncio, sys
from router.store.db.database import Database
async def main():
    database = await Database.open({url_of(database_file)!r}, migrate=True)
    await database.check()
    await database.close()
asyncio.run(main())
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


async def test_a_file_that_is_elsewhere_is_neither_read_nor_written_until_it_is_back(
    sqlite_database: Database, database_file: Path
) -> None:
    await sqlite_database.check()
    elsewhere = database_file.with_name("elsewhere.db")
    shutil.move(database_file, elsewhere)
    for stand_in in (False, True):
        if stand_in:
            shutil.copy(elsewhere, database_file)
        why = "is not the file that was opened" if stand_in else r"is gone \(No such file"
        with pytest.raises(StoreUnavailable, match=why):
            await sqlite_database.read(lambda c: c.execute(text("SELECT 1")))
        with pytest.raises(StoreUnavailable, match=why):
            await sqlite_database.write(lambda _: None)
        made = [path.name for path in database_file.parent.glob("router.db")]
        assert bool(made) == stand_in, "it made a new one"
    shutil.move(elsewhere, database_file)
    await sqlite_database.check()


async def test_a_database_that_can_only_be_read_is_not_in_order(sqlite_database: Database) -> None:
    await sqlite_database.write(lambda c: c.exec_driver_sql("PRAGMA query_only=ON").close())
    with pytest.raises(StoreUnavailable, match="readonly"):
        await sqlite_database.check()
    await sqlite_database.check()
    (left,) = (
        await sqlite_database.read(lambda c: c.execute(text("SELECT count(*) FROM seen")))
    ).one()
    assert left == 0
