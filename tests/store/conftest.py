import pytest

from router.store.db.database import Database
from router.store.recipients.repository import Recipients
from tests.store.waiting_deliveries import Clock, Waiting


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recipients(database: Database, clock: Clock) -> Recipients:
    return Recipients(database, clock)


@pytest.fixture
def waiting(database: Database) -> Waiting:
    return Waiting(database)
