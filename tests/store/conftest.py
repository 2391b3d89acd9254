import pytest

from router.store.database import Database
from router.store.recipients import Recipients
from tests.store.stage import Clock, Waiting


@pytest.fixture
def recipients(database: Database) -> Recipients:
    return Recipients(database, Clock())


@pytest.fixture
def waiting(database: Database) -> Waiting:
    return Waiting(database)
