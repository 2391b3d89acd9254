import pytest

from router.planner import planner
from router.store.db.database import Database
from tests.planner.harness import Harness


@pytest.fixture
def harness(database: Database, monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setattr(planner, "RETRY_INTERVAL_S", 0.0)
    return Harness(database)
