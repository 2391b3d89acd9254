"""Appends as fast as it can to the database it is given, and prints each id that is durable.

Run as a process of its own, to be killed.
"""

import asyncio
import sys
from itertools import count

from router.ingest.accept import PayloadAcceptor
from router.queue.engine import SqlJournal
from router.store.db.database import Database
from tests.queue.rows import body_of


async def main(url: str, run: str) -> None:
    database = await Database.open(url)
    intake = PayloadAcceptor(SqlJournal(database))
    numbers = count()

    async def produce() -> None:
        while True:
            receipt = await intake.accept(body_of("bob", f"{run} {next(numbers)}"))
            sys.stdout.write(f"{receipt.id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(produce() for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
