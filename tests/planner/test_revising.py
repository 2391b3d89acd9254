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
from tests.core.events import DETAILS, envelope
from tests.core.rulebooks import rulebook
from tests.planner.stage import Stage

SUMMARY = "rules: [{name: all, throttle: {max: 2, per: 1m, overflow: summary}, send: [app]}]"
SLOW = "rules: [{name: all, send: [{channel: mail, to: ann@example.com}]}]"
ENTITIES: Json = {"on": {"entity": {"id": "7"}}}


def change(action: str) -> Json:
    data: Json = {"action": action, "entities": ENTITIES}
    return {"id": "8", "category": "action", "type": "message", "data": data}


async def accept(stage: Stage, uid: str = "ann", **details: Json) -> Notification:
    now = stage.scene.now
    told = DETAILS | {"sentAt": str(int(now * 1000))} | details
    body = envelope({"to": {"uid": uid}, "notificationDetails": told})
    id_ = f"{next(stage.scene.numbers):028x}"
    notification = derive(decode(body), id=id_, accepted_at=now)
    await stage.journal.append(AcceptedPayload(notification=notification, body=body, window=99.0))
    return notification


async def all_of(stage: Stage) -> list[Delivery]:
    query = select(deliveries).order_by(deliveries.c.id)
    rows = await stage.database.read(lambda c: c.execute(query).all())
    return [read_delivery(row) for row in rows]


async def ends(stage: Stage) -> list[str]:
    return [each.reason or each.state for each in await all_of(stage)]


@pytest.fixture
async def throttled(stage: Stage) -> Stage:
    await stage.know("ann", "cleo")
    stage.ruleset = rulebook(SUMMARY)
    return stage


async def test_the_last_summary_of_a_burst_stands_for_the_others(throttled: Stage) -> None:
    accepted = [await accept(throttled, tag=str(number)) for number in range(5)]
    await throttled.plan()
    ids = [f"{each.id}-0" for each in accepted]
    *sent, third, fourth, last = await all_of(throttled)
    assert [each.state for each in sent] == ["sending", "waiting"], "of a lane one at a time"
    assert [(each.state, each.reason) for each in (third, fourth)] == [
        ("suppressed", f"summary: {ids[3]}"),
        ("suppressed", f"summary: {ids[4]}"),
    ]
    assert (last.state, last.due_at) == ("waiting", throttled.scene.now + 60)
    assert last.content.body == "3 more notifications"
    assert await throttled.state(accepted[2]) == ("undelivered", "")
    assert await throttled.state(accepted[4]) == ("pending", "")


async def test_nobody_can_read_in_a_window_whose_it_is(throttled: Stage) -> None:
    for number in range(4):
        await accept(throttled, tag=str(number))
    await throttled.plan()
    query = select(throttles)
    (row,) = await throttled.database.read(lambda c: c.execute(query).mappings().all())
    assert row["count"] == 4
    assert "ann" not in repr(row), "erasing a recipient leaves nothing of theirs"


async def test_a_window_outlives_the_process(throttled: Stage) -> None:
    for number in range(4):
        await accept(throttled, tag=str(number))
        await throttled.plan()
        throttled.scene.now += 10
    assert [each.count(":") for each in await ends(throttled)] == [0, 0, 1, 0]
    throttled.scene.now += 20
    await accept(throttled, tag="later")
    await throttled.plan()
    assert (await all_of(throttled))[-1].due_at == throttled.scene.now, "the window has closed"


async def test_a_summary_that_is_being_sent_is_not_replaced(throttled: Stage) -> None:
    for number in range(3):
        await accept(throttled, tag=str(number))
    await throttled.plan()
    summary = (await all_of(throttled))[-1]
    throttled.scene.now += 60
    while summary.id not in await throttled.scene.claimed():
        await throttled.engine.queue.settle(
            [
                Settlement(delivery=each.id, attempt=None, next=Again(throttled.scene.now + 999))
                for each in await all_of(throttled)
                if each.state == "sending"
            ]
        )
    throttled.scene.now -= 1  # this process's clock is behind
    await accept(throttled, tag="late")
    await throttled.plan()
    *_, sent, last = await all_of(throttled)
    assert (sent.id, sent.state) == (summary.id, "sending")
    assert (last.state, last.content.body) == ("waiting", "1 more notification")


async def test_a_counter_that_went_is_begun_anew(throttled: Stage) -> None:
    for number in range(2):
        await accept(throttled, tag=str(number))
    await throttled.plan()
    await throttled.database.write(lambda connection: connection.execute(delete(throttles)))
    await accept(throttled, tag="3")
    await throttled.plan()
    assert set(await ends(throttled)) <= {"sending", "waiting"}


@pytest.mark.parametrize("together", [True, False])
async def test_an_edit_goes_out_in_the_place_of_what_waits(stage: Stage, *, together: bool) -> None:
    stage.ruleset, stage.worker.full = rulebook(SLOW), {"mail"}
    message = await accept(stage, tag="7", body="one")
    if not together:
        await stage.plan()
    edit = await accept(stage, tag="7", body="two", message=change("edited"))
    await stage.plan()
    old, new = await all_of(stage)
    assert (old.state, old.reason) == ("cancelled", f"replaced: {edit.id}-0")
    assert (new.state, new.due_at, new.content.body) == ("waiting", old.due_at, "two")
    assert await stage.state(message) == ("undelivered", "")
    assert await stage.scene.claimed() == [new.id]


async def test_a_deletion_cancels_what_waits(stage: Stage) -> None:
    stage.ruleset, stage.worker.full = rulebook(SLOW), {"mail"}
    await accept(stage, tag="7")
    await accept(stage, tag="8")
    await stage.plan()
    await accept(stage, tag="7", message=change("deleted"))
    await stage.plan()
    assert await ends(stage) == ["deleted", "waiting", f"deleted: {(await all_of(stage))[0].id}"]


async def test_what_was_sent_meanwhile_is_not_replaced(stage: Stage) -> None:
    stage.ruleset, stage.worker.full = rulebook(SLOW), {"mail"}
    await accept(stage, tag="7")
    await stage.plan()
    read = stage.scene.claimed
    world_earlier = None

    async def claim_first(*args: object) -> object:
        found = await world_earlier(*args)  # type: ignore[misc]  # set below
        await read()
        return found

    await accept(stage, tag="7", message=change("edited"))
    async with stage.planning() as running:
        world = running._loader._world
        world_earlier = world.earlier
        world.earlier = claim_first  # type: ignore[method-assign, assignment]  # somebody is faster
        await running.drain()
    original, edit = await all_of(stage)
    assert [original.state, edit.state] == ["sending", "waiting"]
    assert (edit.operation, edit.original) == ("update", original.id)


async def test_an_edit_in_the_batch_of_its_message_waits_for_it(stage: Stage) -> None:
    stage.ruleset = rulebook(SLOW)
    await accept(stage, tag="7")
    await accept(stage, tag="7", message=change("edited"))
    await accept(stage, tag="7", message=change("deleted"))
    await stage.plan()
    original, edit, gone = await all_of(stage)
    assert (original.state, original.operation) == ("sending", "send")
    assert (edit.state, edit.reason) == ("cancelled", "deleted"), "the deletion came as well"
    assert (gone.state, gone.operation, gone.original) == ("waiting", "retract", original.id)


async def test_the_end_of_a_call_in_the_batch_of_its_ring_stops_it(stage: Stage) -> None:
    await stage.know("ann", "bob")
    stage.ruleset = rulebook("rules: [{name: a, when: {callAction: initiated}, send: [app]}]")
    await accept(stage, type="call", sessionId="s1", callAction="initiated")
    await accept(stage, "bob", type="call", sessionId="s1", callAction="ongoing")
    await stage.plan()
    ring, stop = await all_of(stage)
    assert (ring.state, stop.state) == ("sending", "waiting")
    assert (stop.operation, stop.original, stop.contact) == ("retract", ring.id, ring.contact)


@pytest.fixture
async def stages(postgres_url: str) -> AsyncIterator[list[Stage]]:
    """Planners in processes of their own on one database."""
    opened = [await Database.open(postgres_url) for _ in range(3)]
    found = [Stage(database) for database in opened]
    for stage in found:
        stage.scene.numbers = found[0].scene.numbers
    yield found
    for database in opened:
        await database.close()


async def test_several_processes_take_a_message_back_once(stages: list[Stage]) -> None:
    rules = (
        "rules: [{name: all, when: {kind: [message, delete]}, "
        "send: [{channel: mail, to: [a@x.test], once_per: message}]}]"
    )
    for stage in stages:
        stage.ruleset = rulebook(rules)
        mail = replace(stage.ruleset.channels["mail"], retracts=True)
        stage.ruleset = replace(stage.ruleset, channels={**stage.ruleset.channels, "mail": mail})
    await accept(stages[0], "ann", tag="7")
    await stages[0].plan()
    (original,) = await all_of(stages[0])
    for number in range(9):
        await accept(stages[number % 3], f"u{number}", tag="7", message=change("deleted"))
    await asyncio.gather(*(stage.plan() for stage in stages))
    found = [each for each in await all_of(stages[0]) if each.original == original.id]
    assert [each.operation for each in found if each.state == "waiting"] == ["retract"]


async def test_several_processes_keep_to_one_window(stages: list[Stage]) -> None:
    rules = (
        "rules: [{name: all, send: [{channel: mail, to: [a@x.test]}], "
        "throttle: {max: 5, per: 1m, by: sender, overflow: summary}}]"
    )
    for stage in stages:
        stage.ruleset, stage.worker.full = rulebook(rules), {"mail"}
    for number in range(60):
        await accept(stages[0], uid=f"u{number}", tag=str(number))
    await asyncio.gather(*(stage.plan() for stage in stages))
    found = await all_of(stages[0])
    waiting = [each for each in found if each.state == "waiting"]
    assert Counter(each.state for each in found) == {"waiting": 6, "suppressed": 54}
    (summary,) = [each for each in waiting if each.about.startswith("summary:")]
    assert summary.content.body == "55 more notifications"
    stood_for = {each.reason.removeprefix("summary: ") for each in found if each.reason}
    assert stood_for <= {each.id for each in found}
