"""The rules texts that were in force."""

from msgspec.structs import replace

from router.store.db.database import Database
from router.store.log.rulesets import Rulesets
from router.store.log.stored_rules import StoredRules

RULES = StoredRules(version="v1", text="rules: [ü]", file="rules.yaml", loaded_at=1.0)


async def test_without_any_there_is_none(database: Database) -> None:
    rulesets = Rulesets(database)
    assert await rulesets.last() is None
    assert await rulesets.get("v1") is None


async def test_the_one_kept_last_is_the_one_to_fall_back_to(database: Database) -> None:
    rulesets = Rulesets(database)
    second = replace(RULES, version="v2", text="rules: []", loaded_at=2.0)
    await rulesets.keep(RULES)
    await rulesets.keep(second)
    assert await rulesets.last() == second
    again = replace(RULES, loaded_at=3.0, file="moved.yaml")
    await rulesets.keep(again)
    assert await rulesets.last() == again
    assert await rulesets.get("v2") == second
