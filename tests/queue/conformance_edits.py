"""What every queue keeps to where deliveries change what others have shown."""

from typing import Any

import pytest

from router.core.model.delivery import Delivery
from router.core.model.retry import Again, Dead, Done, NextStep
from router.queue.ports import Settlement
from tests.queue.conformance_plan_changes import move
from tests.queue.rows import Engine, QueueRows

ABOUT = "message:app:room:7"


async def show(queue_rows: QueueRows, **fields: Any) -> Delivery:  # noqa: ANN401 - a struct's
    """Plan and claim a message to a room."""
    id_ = await queue_rows.put(address="room", about=ABOUT, **fields)
    assert await queue_rows.claimed() == [id_]
    return await queue_rows.engine.delivery(id_)


async def settle(queue_rows: QueueRows, delivery: str, what: NextStep, number: int = 1) -> None:
    attempt = queue_rows.attempt(delivery, number)
    settlement = Settlement(delivery=delivery, attempt=attempt, next=what)
    assert await queue_rows.engine.queue.settle([settlement]) == []


async def change(
    queue_rows: QueueRows,
    original: str,
    operation: str = "update",
    **fields: Any,  # noqa: ANN401 - a struct's
) -> str:
    """Plan a change of what another delivery shows."""
    told = {"address": "room", "about": ABOUT, "follows": True} | fields
    return await queue_rows.put(operation=operation, original=original, **told)


async def end(queue_rows: QueueRows, delivery: str) -> tuple[str, str]:
    row = await queue_rows.engine.delivery(delivery)
    return row.state, row.reason


class ChangingConformance:
    """Subclass it with a fixture `engine`."""

    async def test_what_a_delivery_changes_is_kept(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        row = await engine.delivery(await change(queue_rows, "n0-0", "retract"))
        assert (row.operation, row.original) == ("retract", "n0-0")

    @pytest.mark.parametrize("operation", ["update", "retract"])
    async def test_a_change_waits_for_its_original_in_whatever_lane(
        self, engine: Engine, operation: str
    ) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        there = await change(queue_rows, original.id, operation, address="elsewhere", about="")
        assert await queue_rows.claimed() == []
        await settle(queue_rows, original.id, Done("C1:1.0"))
        assert await queue_rows.claimed() == [there]

    async def test_changes_go_in_their_order(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        one = await change(queue_rows, original.id)
        two = await change(queue_rows, original.id, "retract")
        await settle(queue_rows, original.id, Done("C1:1.0"))
        assert await queue_rows.claimed() == [one]
        await settle(queue_rows, one, Again(queue_rows.now + 5))
        assert await queue_rows.claimed() == []
        queue_rows.now += 5
        assert await queue_rows.claimed() == [one]
        await settle(queue_rows, one, Done("C1:1.0"), 2)
        assert await queue_rows.claimed() == [two]

    async def test_what_was_not_shown_is_not_changed(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        changes = [await change(queue_rows, original.id, each) for each in ("update", "retract")]
        await settle(queue_rows, original.id, Dead("no_such_room"))
        assert await queue_rows.claimed() == []
        assert [await end(queue_rows, each) for each in changes] == [("cancelled", "not_shown")] * 2

    async def test_what_nobody_knows_any_more_is_not_changed(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        lost = await change(queue_rows, "gone-0")
        assert await queue_rows.claimed() == []
        assert await end(queue_rows, lost) == ("cancelled", "not_shown")

    async def test_what_may_have_arrived_is_taken_back(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        there = await change(queue_rows, original.id, "retract")
        await settle(queue_rows, original.id, Dead("may_have_arrived"))
        assert await queue_rows.claimed() == [there]

    async def test_an_edit_takes_the_place_of_what_is_to_be_tried_again(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        edit = await change(queue_rows, original.id)
        await settle(queue_rows, original.id, Again(queue_rows.now + 60))
        assert await queue_rows.claimed() + await queue_rows.claimed() == [edit]
        assert await end(queue_rows, original.id) == ("cancelled", f"replaced: {edit}")
        row = await engine.delivery(edit)
        assert (row.operation, row.original) == ("send", "")
        assert await engine.state(original.notification) == "undelivered"

    async def test_of_several_edits_the_last_takes_the_place(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        edits = [await change(queue_rows, original.id) for _ in range(3)]
        await settle(queue_rows, original.id, Again(queue_rows.now + 60))
        claimed = [id_ for _ in range(4) for id_ in await queue_rows.claimed()]
        assert claimed == edits[2:]
        assert [await end(queue_rows, each) for each in edits[:2]] == [
            ("cancelled", f"replaced: {edits[1]}"),
            ("cancelled", f"replaced: {edits[2]}"),
        ]

    @pytest.mark.parametrize(("urgent", "why"), [(False, "deleted"), (True, "call_over")])
    async def test_what_takes_it_back_ends_what_is_to_be_tried_again(
        self, engine: Engine, *, urgent: bool, why: str
    ) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows, urgent=urgent)
        gone = await change(queue_rows, original.id, "retract")
        await settle(queue_rows, original.id, Again(queue_rows.now + 60))
        assert await queue_rows.claimed() == []
        assert await end(queue_rows, original.id) == ("cancelled", why)
        assert await end(queue_rows, gone) == ("cancelled", "not_shown")
        assert await engine.state(original.notification) == "undelivered"

    async def test_what_a_crash_left_in_doubt_is_sent_again_before_it_is_changed(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        edit = await change(queue_rows, original.id)
        queue_rows.now += 31
        assert await queue_rows.claimed() == [original.id]
        await settle(queue_rows, original.id, Done("C1:1.0"))
        assert await queue_rows.claimed() == [edit]

    async def test_nothing_is_taken_back_twice(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        original = await show(queue_rows)
        plans = []
        for _ in range(3):
            one = await queue_rows.accept()
            retract = queue_rows.delivery(one.id, operation="retract", original=original.id)
            plans.append(queue_rows.plan(one.id, retract))
        first, second, third = plans
        settled = await engine.journal.settle([first, second])
        assert settled.stale == {second.notification}
        assert (await queue_rows.settle(third)).stale == {third.notification}

    async def test_what_changes_a_stale_plan_s_delivery_is_stale(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first = await queue_rows.accept()
        await queue_rows.settle(queue_rows.plan(first.id, effects=move(None)))
        one, two = await queue_rows.accept(), await queue_rows.accept()
        sent = queue_rows.delivery(one.id)
        edit = queue_rows.delivery(two.id, operation="update", original=sent.id)
        plans = [queue_rows.plan(one.id, sent, effects=move(None)), queue_rows.plan(two.id, edit)]
        assert (await engine.journal.settle(plans)).stale == {one.id, two.id}
