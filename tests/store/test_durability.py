"""What got a receipt is on disk, even when the process dies in the same moment."""

import asyncio
import os
import sys
from pathlib import Path

from router.queue.engine import SqlJournal
from router.store.db.database import Database
from tests import ROOT
from tests.conftest import url_of


async def append_until_killed(url: str, run: str, receipts: int) -> list[str]:
    """Return the ids a process printed before it was killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.store.accept_process", url, run),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    printed = [await process.stdout.readline() for _ in range(receipts)]
    process.kill()
    printed += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return [line.decode().strip() for line in printed if line.endswith(b"\n")]


async def test_nothing_with_a_receipt_is_lost_to_a_kill(database_file: Path) -> None:
    url = url_of(database_file)
    printed: set[str] = set()
    for run, receipts in enumerate((1, 100, 333)):
        printed |= set(await append_until_killed(url, f"run {run}", receipts))
    assert len(printed) >= 434
    database = await Database.open(url)
    found = await SqlJournal(database).unplanned(after="", limit=100_000)
    await database.close()
    assert printed <= {notification.id for notification in found}
    assert all(notification.uid == "bob" for notification in found)
