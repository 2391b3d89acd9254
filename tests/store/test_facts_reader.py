"""The facts that decisions are made from."""

from router.core.model.facts import OnceKey, Recipient, StateChanges
from router.store.db.database import Database
from router.store.facts_reader import FactsReader
from router.store.recipients.repository import ProfilePatch, Recipients
from tests.store.waiting_deliveries import Waiting, device


async def test_facts_hold_the_recipients_that_are_known(
    database: Database, recipients: Recipients, waiting: Waiting
) -> None:
    await recipients.register("ann", device("t1"), "app")
    await recipients.register("ann", device("t2"), "app")
    ann = await recipients.put("ann", ProfilePatch(attributes={"tier": "gold"}), "app")
    await recipients.put("cat", ProfilePatch(locale="fr"), "app")
    await recipients.put("ann", ProfilePatch(locale="de"), "other")
    batch = [await waiting.queue_rows.accept(uid=uid) for uid in ("ann", "bob", "ann")]
    facts = await FactsReader(database).facts(batch)
    assert facts.recipients == {("app", "ann"): ann}
    assert facts.recipient("app", "bob") == Recipient(app_id="app", uid="bob")


async def test_facts_hold_the_once_keys_of_their_events_if_asked(
    database: Database, waiting: Waiting
) -> None:
    queue_rows = waiting.queue_rows
    one, other = await queue_rows.accept(), await queue_rows.accept()
    keys = {each.id: OnceKey(each.event, "r", 1, "c", "a") for each in (one, other)}
    for each in (one, other):
        effects = StateChanges(once=((keys[each.id], f"{each.id}-0"),))
        await queue_rows.settle(queue_rows.plan(each.id, effects=effects))
    world = FactsReader(database)
    assert (await world.facts([one], {one.event})).once == {keys[one.id]: f"{one.id}-0"}
    assert (await world.facts([one])).once == {}
    assert (await world.facts([])).recipients == {}
