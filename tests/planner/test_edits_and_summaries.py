"""Plans that change what was planned before: bursts held back, edits and deletions."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select

from router.core.model.delivery import Delivery
from router.core.model.notification import Notification, derive
from router.core.model.payload import Json, decode
from router.core.model.retry import Again
from router.queue.ports import AcceptedPayload, Settlement
from router.store.db.database import Database
from router.store.schema.rows import read_delivery
from router.store.schema.state_tables import throttles
from router.store.schema.tables import deliveries
from tests.core.notifications import DETAILS, envelope
from tests.core.rulesets import rulebook
from tests.planner.harness import Harness

SUMMARY = "rules: [{name: all, throttle: {max: 2, per: 1m, overflow: summary}, send: [app]}]"
SLOW = "rules: [{name: all, send: [{channel: mail, to: ann@example.com}]}]"
ENTITIES: Json = {"on": {"entity": {"id": "7"}}}


def change(action: str) -> Json:
    data: Json = {"action": action, "entities": ENTITIES}
    return {"id": "8", "category": "action", "type": "message", "data": data}


async def accept(harness: Harness, uid: str = "ann", **details: Json) -> Notification:
    now = harness.queue_rows.now
    told = DETAILS | {"sentAt": str(int(now * 1000))} | details
    body = envelope({"to": {"uid": uid}, "notificationDetails": told})
    id_ = f"{next(harness.queue_rows.numbers):028x}"
    notification = derive(decode(body), id=id_, accepted_at=now)
    await harness.journal.append(AcceptedPayload(notification=notification, body=body, window=99.0))
    return notification


async def all_of(harness: Harness) -> list[Delivery]:
    query = select(deliveries).order_by(deliveries.c.id)
    rows = await harness.database.read(lambda c: c.execute(query).all())
    return [read_delivery(row) for row in rows]


async def ends(harness: Harness) -> list[str]:
    return [each.reason or each.state for each in await all_of(harness)]


@pytest.fixture
async def throttled(harness: Harness) -> Harness:
    await harness.know("ann", "cleo")
    harness.ruleset = rulebook(SUMMARY)
    return harness


async def test_the_last_summary_of_a_burst_stands_for_the_others(throttled: Harness) -> None:
    accepted = [await accept(throttled, tag=str(number)) for number in range(5)]
    await throttled.plan()
    ids = [f"{each.id}-0" for each in accepted]
    *sent, third, fourth, last = await all_of(throttled)
    assert [each.state for each in sent] == ["sending", "waiting"], "of a lane one at a time"
    assert [(each.state, each.reason) for each in (third, fourth)] == [
        ("suppressed", f"summary: {ids[3]}"),
        ("suppressed", f"summary: {ids[4]}"),
    ]
    assert (last.state, last.due_at) == ("waiting", throttled.queue_rows.now + 60)
    assert last.content.body == "3 more notifications"
    assert await throttled.state(accepted[2]) == ("undelivered", "")
    assert await throttled.state(accepted[4]) == ("pending", "")


async def test_nobody_can_read_in_a_window_whose_it_is(throttled: Harness) -> None:
    for number in range(4):
        await accept(throttled, tag=str(number))
    await throttled.plan()
    query = select(throttles)
    (row,) = await throttled.database.read(lambda c: c.execute(query).mappings().all())
    assert row["count"] == 4
    assert "ann" not in repr(row), "erasing a recipient leaves nothing of theirs"


async def test_a_window_outlives_the_process(throttled: Harness) -> None:
    for number in range(4):
        await accept(throttled, tag=str(number))
        await throttled.plan()
        throttled.queue_rows.now += 10
    assert [each.count(":") for each in await ends(throttled)] == [0, 0, 1, 0]
    throttled.queue_rows.now += 20
    await accept(throttled, tag="later")
    await throttled.plan()
    assert (await all_of(throttled))[-1].due_at == throttled.queue_rows.now, "the window has closed"


async def test_a_summary_that_is_being_sent_is_not_replaced(throttled: Harness) -> None:
    for number in range(3):
        await accept(throttled, tag=str(number))
    await throttled.plan()
    summary = (await all_of(throttled))[-1]
    throttled.queue_rows.now += 60
    while summary.id not in await throttled.queue_rows.claimed():
        await throttled.engine.queue.settle(
            [
                Settlement(
                    delivery=each.id, attempt=None, next=Again(throttled.queue_rows.now + 999)
                )
                for each in await all_of(throttled)
                if each.state == "sending"
            ]
        )
    throttled.queue_rows.now -= 1  # this process's clock is behind
    await accept(throttled, tag="late")
    await throttled.plan()
    *_, sent, last = await all_of(throttled)
    assert (sent.id, sent.state) == (summary.id, "sending")
    assert (last.state, last.content.body) == ("waiting", "1 more notification")


async def test_a_counter_that_went_is_begun_anew(throttled: Harness) -> None:
    for number in range(2):
        await accept(throttled, tag=str(number))
    await throttled.plan()
    await throttled.database.write(lambda connection: connection.execute(delete(throttles)))
    await accept(throttled, tag="3")
    await throttled.plan()
    assert set(await ends(throttled)) <= {"sending", "waiting"}


@pytest.mark.parametrize("together", [True, False])
async def test_an_edit_goes_out_in_the_place_of_what_waits(
    harness: Harness, *, together: bool
) -> None:
    harness.ruleset, harness.worker.full = rulebook(SLOW), {"mail"}
    message = await accept(harness, tag="7", body="one")
    if not together:
        await harness.plan()
    edit = await accept(harness, tag="7", body="two", message=change("edited"))
    await harness.plan()
    old, new = await all_of(harness)
    assert (old.state, old.reason) == ("cancelled", f"replaced: {edit.id}-0")
    assert (new.state, new.due_at, new.content.body) == ("waiting", old.due_at, "two")
    assert await harness.state(message) == ("undelivered", "")
    assert await harness.queue_rows.claimed() == [new.id]


async def test_a_deletion_cancels_what_waits(harness: Harness) -> None:
    harness.ruleset, harness.worker.full = rulebook(SLOW), {"mail"}
    await accept(harness, tag="7")
    await accept(harness, tag="8")
    await harness.plan()
    await accept(harness, tag="7", message=change("deleted"))
    await harness.plan()
    assert await ends(harness) == [
        "deleted",
        "waiting",
        f"deleted: {(await all_of(harness))[0].id}",
    ]


async def test_what_was_sent_meanwhile_is_not_replaced(harness: Harness) -> None:
    harness.ruleset, harness.worker.full = rulebook(SLOW), {"mail"}
    await accept(harness, tag="7")
    await harness.plan()
    read = harness.queue_rows.claimed
    world_earlier = None

    async def claim_first(*args: object) -> object:
        found = await world_earlier(*args)  # type: ignore[misc]  # set below
        await read()
        return found

    await accept(harness, tag="7", message=change("edited"))
    async with harness.planning() as running:
        world = running._loader._world
        world_earlier = world.earlier
        world.earlier = claim_first  # type: ignore[method-assign, assignment]  # somebody is faster
        await running.drain()
    original, edit = await all_of(harness)
    assert [original.state, edit.state] == ["sending", "waiting"]
    assert (edit.operation, edit.original) == ("update", original.id)


async def test_an_edit_in_the_batch_of_its_message_waits_for_it(harness: Harness) -> None:
    harness.ruleset = rulebook(SLOW)
    await accept(harness, tag="7")
    await accept(harness, tag="7", message=change("edited"))
    await accept(harness, tag="7", message=change("deleted"))
    await harness.plan()
    original, edit, gone = await all_of(harness)
    assert (original.state, original.operation) == ("sending", "send")
    assert (edit.state, edit.reason) == ("cancelled", "deleted"), "the deletion came as well"
    assert (gone.state, gone.operation, gone.original) == ("waiting", "retract", original.id)


async def test_the_end_of_a_call_in_the_batch_of_its_ring_stops_it(harness: Harness) -> None:
    await harness.know("ann", "bob")
    harness.ruleset = rulebook("rules: [{name: a, when: {callAction: initiated}, send: [app]}]")
    await accept(harness, type="call", sessionId="s1", callAction="initiated")
    await accept(harness, "bob", type="call", sessionId="s1", callAction="ongoing")
    await harness.plan()
    ring, stop = await all_of(harness)
    assert (ring.state, stop.state) == ("sending", "waiting")
    assert (stop.operation, stop.original, stop.contact) == ("retract", ring.id, ring.contact)


@pytest.fixture
async def stages(postgres_url: str) -> AsyncIterator[list[Harness]]:
    """Planners in processes of their own on one database."""
    opened = [await Database.open(postgres_url) for _ in range(3)]
    found = [Harness(database) for database in opened]
    for harness in found:
        harness.queue_rows.numbers = found[0].queue_rows.numbers
    yield found
    for database in opened:
        await database.close()


async def test_several_processes_take_a_message_back_once(stages: list[Harness]) -> None:
    rules = (
        "rules: [{name: all, when: {kind: [message, delete]}, "
        "send: [{channel: mail, to: [a@x.test], once_per: message}]}]"
    )
    for harness in stages:
        harness.ruleset = rulebook(rules)
        mail = replace(harness.ruleset.channels["mail"], retracts=True)
        harness.ruleset = replace(
            harness.ruleset, channels={**harness.ruleset.channels, "mail": mail}
        )
    await accept(stages[0], "ann", tag="7")
    await stages[0].plan()
    (original,) = await all_of(stages[0])
    for number in range(9):
        await accept(stages[number % 3], f"u{number}", tag="7", message=change("deleted"))
    await asyncio.gather(*(harness.plan() for harness in stages))
    found = [each for each in await all_of(stages[0]) if each.original == original.id]
    assert [each.operation for each in found if each.state == "waiting"] == ["retract"]


async def test_several_processes_keep_to_one_window(stages: list[Harness]) -> None:
    rules = (
        "rules: [{name: all, send: [{channel: mail, to: [a@x.test]}], "
        "throttle: {max: 5, per: 1m, by: sender, overflow: summary}}]"
    )
    for harness in stages:
        harness.ruleset, harness.worker.full = rulebook(rules), {"mail"}
    for number in range(60):
        await accept(stages[0], uid=f"u{number}", tag=str(number))
    await asyncio.gather(*(harness.plan() for harness in stages))
    found = await all_of(stages[0])
    waiting = [each for each in found if each.state == "waiting"]
    assert Counter(each.state for each in found) == {"waiting": 6, "suppressed": 54}
    (summary,) = [each for each in waiting if each.about.startswith("summary:")]
    assert summary.content.body == "55 more notifications"
    stood_for = {each.reason.removeprefix("summary: ") for each in found if each.reason}
    assert stood_for <= {each.id for each in found}
