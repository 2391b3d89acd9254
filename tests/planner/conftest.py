import pytest

from router.planner import planner
from router.store.db.database import Database
from tests.planner.stage import Stage


@pytest.fixture
def stage(database: Database, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(planner, "RETRY_INTERVAL_S", 0.0)
    return Stage(database)
