"""The harness for the registry: a clock that ticks, and deliveries that wait for contacts."""

from typing import Any

from router.store.db.database import Database
from router.store.recipients.repository import Recipients, Registration
from tests.queue.rows import QueueRows
from tests.queue.test_sql_engine import SqlEngine


class Clock:
    """Ticks a second whenever it is read."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def device(token: str, session: str = "", **fields: Any) -> Registration:  # noqa: ANN401 - a struct's
    return Registration(**{"platform": "p", "address": token, "auth_token": session, **fields})


async def tokens(recipients: Recipients, uid: str) -> list[str]:
    found = await recipients.get(uid, "app")
    return [contact.address for contact in found.contacts] if found else []


class Waiting:
    """Deliveries that wait for contacts."""

    def __init__(self, database: Database) -> None:
        self.engine = SqlEngine.over(database)
        self.queue_rows = QueueRows(self.engine)

    async def put(self, contact: str, **fields: Any) -> str:  # noqa: ANN401 - a struct's
        return await self.queue_rows.put(contact=contact, **fields)

    async def state(self, delivery: str) -> tuple[str, str]:
        found = await self.engine.delivery(delivery)
        return found.state, found.reason
