"""A router as it is installed: a folder with its rules and its database, and a process."""

import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

from benchmarks.payloads import PASSWORD, USER
from benchmarks.process import Subject, running
from tests.acceptance.router_process import ROUTER

KEY = "an-operator-key-for-benchmarks"
BEARER = {"Authorization": f"Bearer {KEY}"}


class Deployment:
    """Rules and a database in a folder of their own."""

    def __init__(self, folder: Path, rules: str) -> None:
        """Make the folder and write the rules; the database is made by the first start."""
        folder.mkdir()
        self._folder = folder
        self.rules = folder / "rules.yaml"
        self.database = folder / "router.db"
        self.write_rules(rules)

    @property
    def url(self) -> str:
        """Return the database's URL."""
        return f"sqlite+aiosqlite:///{self.database}"

    def write_rules(self, text: str) -> None:
        """Replace the rules file."""
        self.rules.write_text(text, encoding="utf-8")

    @asynccontextmanager
    async def serving(
        self, settings: Mapping[str, str] | None = None, *, module: str = ROUTER
    ) -> AsyncIterator[Subject]:
        """Run `router serve` as it ships, in live mode unless the settings say otherwise.

        `module` is `router` itself.
        """
        environ = {
            "ROUTER_RULES": str(self.rules),
            "ROUTER_DATABASE": self.url,
            "ROUTER_WEBHOOK_USER": USER,
            "ROUTER_WEBHOOK_PASSWORD": PASSWORD,
            "ROUTER_API_KEYS": f"benchmarks:operator:{KEY}",
        }
        environ |= dict(settings or {})
        async with running(
            [sys.executable, "-m", module, "serve"], self._folder, environ
        ) as subject:
            await subject.rest()
            yield subject

    def last(self) -> str:
        """Return the id of the newest notification, empty when there is none."""
        return str(self._ask("SELECT coalesce(max(id), '') FROM notifications"))

    def delivered(self, after: str) -> int:
        """Return how many deliveries of notifications with greater ids are recorded."""
        query = "SELECT count(*) FROM attempts WHERE delivery > ? AND outcome = 'delivered'"
        return int(str(self._ask(query, f"{after}-~")))

    def waiting(self) -> int:
        """Return how many deliveries wait."""
        return int(str(self._ask("SELECT count(*) FROM deliveries WHERE state = 'waiting'")))

    def _ask(self, query: str, *values: str) -> object:
        address = f"file:{self.database}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return connection.execute(query, values).fetchone()[0]
