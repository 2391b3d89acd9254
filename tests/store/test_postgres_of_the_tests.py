"""The PostgreSQL of the tests can be killed, and its tests are never left out silently."""

import asyncio
import os
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from router.store.db.analyze import FIRST_ANALYZE_AFTER, AnalyzeSchedule
from router.store.db.database import SCHEMA_REVISION, Database, migrate
from router.store.errors import DatabaseUnusable
from router.store.recipients.repository import RecipientRecord, Recipients
from router.store.schema import metadata
from tests import ROOT
from tests.acceptance.router_process import free_port
from tests.postgres import Databases, Server

HOLD = text("INSERT INTO holds VALUES (:channel, 'paused', '', 1)")


async def hold(url: str, channel: str) -> None:
    database = await Database.open(url)
    await database.write(lambda c: c.execute(HOLD, {"channel": channel}))
    await database.close()


async def test_a_killed_server_is_back_with_what_was_committed(own_postgres: Server) -> None:
    url = own_postgres.make_database()
    await hold(url, "a")
    own_postgres.kill()
    with pytest.raises(DatabaseUnusable, match="cannot be opened"):
        await Database.open(url)
    own_postgres.start()
    await hold(url, "b")
    own_postgres.restart()
    rows = own_postgres.execute("SELECT channel FROM holds ORDER BY channel", url=url)
    assert [row["channel"] for row in rows] == ["a", "b"]


async def test_without_tables_the_remedy_is_named_and_nothing_is_made(postgres: Databases) -> None:
    url = postgres.make_database(migrated=False)
    with pytest.raises(DatabaseUnusable, match="the database has no tables yet; run: router migr"):
        await Database.open(url, migrate=True)
    assert await asyncio.gather(*(migrate(url) for _ in range(3))) == [SCHEMA_REVISION] * 3
    await (await Database.open(url)).close()
    postgres.drop_database(url)


async def test_the_migrations_make_what_the_tables_say(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    options = {"compare_type": True, "compare_server_default": True}

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    assert await database.read(compare) == []
    await database.close()


def run_one_of_postgres(**environ: str) -> subprocess.CompletedProcess[str]:
    nowhere = f"postgresql://router@127.0.0.1:{free_port()}/router"
    test = "tests/store/test_postgres_of_the_tests.py::test_a_database_has_the_tables_of_the_router"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={**os.environ, "ROUTER_TEST_POSTGRES": nowhere, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_database_has_the_tables_of_the_router(postgres: Databases, postgres_url: str) -> None:
    (row,) = postgres.execute("SELECT version_num FROM alembic_version", url=postgres_url)
    assert row["version_num"] == SCHEMA_REVISION


def test_without_a_server_its_tests_fail_and_say_what_to_do() -> None:
    result = run_one_of_postgres()
    assert result.returncode == 1
    assert "ROUTER_TEST_POSTGRES does not answer" in result.stdout
    assert "ROUTER_TEST_ALLOW_MISSING=postgres leaves its tests out" in result.stdout


def test_what_may_be_left_out_is_told_loudly() -> None:
    result = run_one_of_postgres(ROUTER_TEST_ALLOW_MISSING="postgres")
    assert result.returncode == 0
    assert "!! 1 tests of PostgreSQL WERE NOT RUN !!" in result.stdout


async def test_an_import_tells_the_server_how_much_there_is(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    people = [
        RecipientRecord(app_id="app", uid=f"uid-{number}") for number in range(FIRST_ANALYZE_AFTER)
    ]
    recipients = Recipients(database)
    counted = text("SELECT reltuples FROM pg_class WHERE relname = 'recipients'")

    async def count() -> float:
        return await database.read(lambda c: float(c.execute(counted).scalar_one()))

    await recipients.enrol(people[:-1])
    assert await count() <= 0
    await recipients.enrol(people[-1:])
    assert await count() == FIRST_ANALYZE_AFTER
    await database.close()


def test_it_is_told_again_whenever_the_changes_have_doubled() -> None:
    statistics = AnalyzeSchedule()
    told = [number for number in range(1, 9000) if statistics.count(1)]
    assert told == [
        FIRST_ANALYZE_AFTER,
        2 * FIRST_ANALYZE_AFTER,
        4 * FIRST_ANALYZE_AFTER,
        8 * FIRST_ANALYZE_AFTER,
    ]
