"""What every queue keeps to where deliveries change what others have shown."""

from typing import Any

import pytest

from router.core.model.delivery import Delivery
from router.core.model.retry import Again, Dead, Done, NextStep
from router.queue.ports import Settlement
from tests.queue.conformance_revising import move
from tests.queue.scene import Engine, Scene

ABOUT = "message:app:room:7"


async def show(scene: Scene, **fields: Any) -> Delivery:  # noqa: ANN401 - a struct's
    """Plan and claim a message to a room."""
    id_ = await scene.put(address="room", about=ABOUT, **fields)
    assert await scene.claimed() == [id_]
    return await scene.engine.delivery(id_)


async def settle(scene: Scene, delivery: str, what: NextStep, number: int = 1) -> None:
    attempt = scene.attempt(delivery, number)
    settlement = Settlement(delivery=delivery, attempt=attempt, next=what)
    assert await scene.engine.queue.settle([settlement]) == []


async def change(scene: Scene, original: str, operation: str = "update", **fields: Any) -> str:  # noqa: ANN401 - a struct's
    """Plan a change of what another delivery shows."""
    told = {"address": "room", "about": ABOUT, "follows": True} | fields
    return await scene.put(operation=operation, original=original, **told)


async def end(scene: Scene, delivery: str) -> tuple[str, str]:
    row = await scene.engine.delivery(delivery)
    return row.state, row.reason


class ChangingConformance:
    """Subclass it with a fixture `engine`."""

    async def test_what_a_delivery_changes_is_kept(self, engine: Engine) -> None:
        scene = Scene(engine)
        row = await engine.delivery(await change(scene, "n0-0", "retract"))
        assert (row.operation, row.original) == ("retract", "n0-0")

    @pytest.mark.parametrize("operation", ["update", "retract"])
    async def test_a_change_waits_for_its_original_in_whatever_lane(
        self, engine: Engine, operation: str
    ) -> None:
        scene = Scene(engine)
        original = await show(scene)
        there = await change(scene, original.id, operation, address="elsewhere", about="")
        assert await scene.claimed() == []
        await settle(scene, original.id, Done("C1:1.0"))
        assert await scene.claimed() == [there]

    async def test_changes_go_in_their_order(self, engine: Engine) -> None:
        scene = Scene(engine)
        original = await show(scene)
        one = await change(scene, original.id)
        two = await change(scene, original.id, "retract")
        await settle(scene, original.id, Done("C1:1.0"))
        assert await scene.claimed() == [one]
        await settle(scene, one, Again(scene.now + 5))
        assert await scene.claimed() == []
        scene.now += 5
        assert await scene.claimed() == [one]
        await settle(scene, one, Done("C1:1.0"), 2)
        assert await scene.claimed() == [two]

    async def test_what_was_not_shown_is_not_changed(self, engine: Engine) -> None:
        scene = Scene(engine)
        original = await show(scene)
        changes = [await change(scene, original.id, each) for each in ("update", "retract")]
        await settle(scene, original.id, Dead("no_such_room"))
        assert await scene.claimed() == []
        assert [await end(scene, each) for each in changes] == [("cancelled", "not_shown")] * 2

    async def test_what_nobody_knows_any_more_is_not_changed(self, engine: Engine) -> None:
        scene = Scene(engine)
        lost = await change(scene, "gone-0")
        assert await scene.claimed() == []
        assert await end(scene, lost) == ("cancelled", "not_shown")

    async def test_what_may_have_arrived_is_taken_back(self, engine: Engine) -> None:
        scene = Scene(engine)
        original = await show(scene)
        there = await change(scene, original.id, "retract")
        await settle(scene, original.id, Dead("may_have_arrived"))
        assert await scene.claimed() == [there]

    async def test_an_edit_takes_the_place_of_what_is_to_be_tried_again(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        original = await show(scene)
        edit = await change(scene, original.id)
        await settle(scene, original.id, Again(scene.now + 60))
        assert await scene.claimed() + await scene.claimed() == [edit]
        assert await end(scene, original.id) == ("cancelled", f"replaced: {edit}")
        row = await engine.delivery(edit)
        assert (row.operation, row.original) == ("send", "")
        assert await engine.state(original.notification) == "undelivered"

    async def test_of_several_edits_the_last_takes_the_place(self, engine: Engine) -> None:
        scene = Scene(engine)
        original = await show(scene)
        edits = [await change(scene, original.id) for _ in range(3)]
        await settle(scene, original.id, Again(scene.now + 60))
        claimed = [id_ for _ in range(4) for id_ in await scene.claimed()]
        assert claimed == edits[2:]
        assert [await end(scene, each) for each in edits[:2]] == [
            ("cancelled", f"replaced: {edits[1]}"),
            ("cancelled", f"replaced: {edits[2]}"),
        ]

    @pytest.mark.parametrize(("urgent", "why"), [(False, "deleted"), (True, "call_over")])
    async def test_what_takes_it_back_ends_what_is_to_be_tried_again(
        self, engine: Engine, *, urgent: bool, why: str
    ) -> None:
        scene = Scene(engine)
        original = await show(scene, urgent=urgent)
        gone = await change(scene, original.id, "retract")
        await settle(scene, original.id, Again(scene.now + 60))
        assert await scene.claimed() == []
        assert await end(scene, original.id) == ("cancelled", why)
        assert await end(scene, gone) == ("cancelled", "not_shown")
        assert await engine.state(original.notification) == "undelivered"

    async def test_what_a_crash_left_in_doubt_is_sent_again_before_it_is_changed(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        original = await show(scene)
        edit = await change(scene, original.id)
        scene.now += 31
        assert await scene.claimed() == [original.id]
        await settle(scene, original.id, Done("C1:1.0"))
        assert await scene.claimed() == [edit]

    async def test_nothing_is_taken_back_twice(self, engine: Engine) -> None:
        scene = Scene(engine)
        original = await show(scene)
        plans = []
        for _ in range(3):
            one = await scene.accept()
            retract = scene.delivery(one.id, operation="retract", original=original.id)
            plans.append(scene.plan(one.id, retract))
        first, second, third = plans
        settled = await engine.journal.settle([first, second])
        assert settled.stale == {second.notification}
        assert (await scene.settle(third)).stale == {third.notification}

    async def test_what_changes_a_stale_plan_s_delivery_is_stale(self, engine: Engine) -> None:
        scene = Scene(engine)
        first = await scene.accept()
        await scene.settle(scene.plan(first.id, effects=move(None)))
        one, two = await scene.accept(), await scene.accept()
        sent = scene.delivery(one.id)
        edit = scene.delivery(two.id, operation="update", original=sent.id)
        plans = [scene.plan(one.id, sent, effects=move(None)), scene.plan(two.id, edit)]
        assert (await engine.journal.settle(plans)).stale == {one.id, two.id}
