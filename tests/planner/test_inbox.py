"""Which of the accepted notifications is planned first, and who goes before planning."""

import asyncio

import pytest
from msgspec.structs import replace

from router.core.decide.decide import Decision, decide
from router.core.model.facts import DecisionState
from router.core.model.notification import Notification, is_ring
from router.core.rules.ruleset import Ruleset
from router.planner import inbox, planner
from router.planner.inbox import Inbox
from tests.planner.harness import Harness

CALL = {"callAction": "initiated"}


def ringing(notification: Notification) -> Notification:
    return replace(notification, kind="call", details=CALL, call_action="initiated")


async def test_a_call_that_rings_is_planned_before_what_was_accepted_earlier(
    harness: Harness,
) -> None:
    uids = ["ann", "bob", "cat"]
    await harness.know(*uids)
    accepted = [await harness.queue_rows.accept(uid=uid) for uid in uids]
    async with harness.planning() as running:
        await running.drain()
        harness.worker.taken.clear()
    waiting = Inbox()
    waiting.is_behind = False
    for each in (accepted[0], accepted[1], ringing(accepted[2])):
        waiting.offer(each, rings=is_ring(each))
    assert [each.id for each in waiting.take(9)] == [accepted[2].id]
    assert [each.id for each in waiting.take(9)] == [accepted[0].id, accepted[1].id]


async def test_calls_are_kept_in_memory_while_the_journal_is_ahead_of_it(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_MEMORY", 2)
    chat = await harness.queue_rows.accept(uid="ann")
    call = ringing(await harness.queue_rows.accept(uid="bob"))
    waiting = Inbox()
    waiting.offer(chat, rings=False)
    waiting.offer(call, rings=True)
    assert waiting.is_behind
    assert waiting.take(9) == [call]
    for _ in range(3):
        waiting.offer(call, rings=True)
    assert len(waiting.take(9)) == 2


@pytest.mark.parametrize("busy", [True, False])
async def test_planning_gives_way_to_those_who_post_until_a_call_rings_or_all_is_quiet(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    monkeypatch.setattr(planner, "REST_FACTOR", 1e6)
    monkeypatch.setattr(planner, "IDLE_TURN_S", 0.0 if busy else 10.0)
    await harness.know("ann", "bob", "cat", "dan")
    later: list[Notification] = []

    def decide_while_others_post(
        notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
    ) -> Decision:
        while later:
            running.offer(later.pop(0))
        return decide(notification, ruleset, facts, now)

    harness.decide = decide_while_others_post
    async with harness.planning() as running:
        await running.drain()
        first, *others = [await harness.queue_rows.accept(uid=uid) for uid in ("ann", "bob", "cat")]
        call = ringing(await harness.queue_rows.accept(uid="dan"))
        later += others
        running.offer(first)
        await asyncio.wait_for(harness.worker.given.wait(), 5)
        if busy:
            await asyncio.sleep(0.1)
            assert harness.worker.ids == [f"{first.id}-0"], "it rests"
        else:
            await asyncio.wait_for(running.drain(), 5)
        running.offer(call)
        await asyncio.wait_for(running.drain(), 5)
    order = (first, call, *others) if busy else (first, *others, call)
    assert harness.worker.ids == [f"{each.id}-0" for each in order]
