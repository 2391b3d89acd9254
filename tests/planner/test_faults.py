"""Planning goes on, whatever happens, and nothing is lost."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from router.core.decide.decide import Decision, decide
from router.core.model.facts import DecisionState
from router.core.model.notification import Notification
from router.core.rules.ruleset import Ruleset
from router.planner import inbox, planner
from router.planner.planner import Decide
from router.queue.engine import SqlJournal
from router.queue.ports import JournalUnavailable, Plan, PlanResults
from tests.planner.harness import Harness


def failing(times: int, uid: str = "bad") -> tuple[Decide, Counter[str]]:
    """Return a decision that fails so often for a uid, and the count of its calls."""
    calls: Counter[str] = Counter()

    def decide_or_fail(
        notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
    ) -> Decision:
        calls[notification.uid] += 1
        if notification.uid == uid and calls[uid] <= times:
            raise KeyError("with the secret of somebody")
        return decide(notification, ruleset, facts, now)

    return decide_or_fail, calls


async def test_what_cannot_be_decided_three_times_is_undecidable_and_the_rest_goes_on(
    harness: Harness,
) -> None:
    await harness.know("bad", "good")
    harness.decide, calls = failing(99)
    bad, good = (
        await harness.queue_rows.accept(uid="bad"),
        await harness.queue_rows.accept(uid="good"),
    )
    async with harness.planning() as running:
        await running.drain()
        later = await harness.queue_rows.accept(uid="good")
        running.offer(later)
        await running.drain()
    assert await harness.state(bad) == ("undecidable", "deciding raised KeyError, 3 times")
    assert [(await harness.state(each))[0] for each in (good, later)] == ["pending", "pending"]
    assert calls == {"bad": 3, "good": 2}


async def test_what_fails_twice_is_planned_the_third_time(harness: Harness) -> None:
    await harness.know("bad")
    harness.decide, _ = failing(2)
    accepted = await harness.queue_rows.accept(uid="bad")
    async with harness.planning() as running:
        running.offer(accepted)
        await running.drain()
    assert (await harness.state(accepted))[0] == "pending"


async def test_a_plan_that_no_database_takes_is_undecidable(harness: Harness) -> None:
    await harness.know("bad", "good")

    def absurd(
        notification: Notification, ruleset: Ruleset, facts: DecisionState, now: float
    ) -> Decision:
        decision = decide(notification, ruleset, facts, now)
        if notification.uid == "good":
            return decision
        return replace(decision, deliveries=(replace(decision.deliveries[0], step=10**26),))

    harness.decide = absurd
    bad, good = (
        await harness.queue_rows.accept(uid="bad"),
        await harness.queue_rows.accept(uid="good"),
    )
    await harness.plan()
    state, reason = await harness.state(bad)
    assert state == "undecidable"
    assert re.fullmatch(r"cannot be written: \w+Error, 3 times", reason)
    assert (await harness.state(good))[0] == "pending"
    assert harness.worker.ids == [f"{good.id}-0"]


class Unsteady:
    """A journal that is away for some calls."""

    def __init__(self, journal: SqlJournal, failures: int) -> None:
        self.journal = journal
        self.failures = failures

    def fail(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise JournalUnavailable("away")

    async def unplanned(self, *, after: str, limit: int) -> Sequence[Notification]:
        self.fail()
        return await self.journal.unplanned(after=after, limit=limit)

    async def settle(self, plans: Sequence[Plan]) -> PlanResults:
        self.fail()
        return await self.journal.settle(plans)


@pytest.mark.parametrize("failures", [1, 2, 3, 4, 5])
async def test_while_the_database_is_away_nothing_is_lost(harness: Harness, failures: int) -> None:
    await harness.know("ann", "bob", "cat")
    first = await harness.queue_rows.accept(uid="ann")
    unsteady = Unsteady(harness.journal, 0)
    harness.journal = unsteady
    async with harness.planning() as running:
        await running.drain()
        unsteady.failures = failures
        offered = [await harness.queue_rows.accept(uid=uid) for uid in ("bob", "cat")]
        for each in offered:
            running.offer(each)
        await running.drain()
    assert harness.worker.ids == [f"{each.id}-0" for each in (first, *offered)]


async def test_more_than_fits_in_memory_is_read_back_and_planned_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_IN_MEMORY", 5)
    monkeypatch.setattr(planner, "MAX_BATCH", 3)
    uids = [f"u{number}" for number in range(40)]
    await harness.know(*uids)
    async with harness.planning() as running:
        await running.drain()
        accepted = await asyncio.gather(*(harness.queue_rows.accept(uid=uid) for uid in uids))
        for each in accepted:
            running.offer(each)
        await running.drain()
    assert harness.worker.ids == [f"{each.id}-0" for each in accepted]


async def test_what_is_offered_while_the_journal_is_read_is_planned_once(harness: Harness) -> None:
    uids = [f"u{number}" for number in range(30)]
    await harness.know(*uids)
    async with harness.planning() as running:
        for uid in uids:
            running.offer(await harness.queue_rows.accept(uid=uid))
            if uid in {"u5", "u15"}:
                running.wake()
        await running.drain()
    assert sorted(harness.worker.ids) == sorted(set(harness.worker.ids))
    assert len(harness.worker.ids) == 30


async def test_what_was_accepted_and_never_offered_is_found(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "POLL_INTERVAL_S", 0.01)
    await harness.know("bob")
    async with harness.planning() as running:
        await running.drain()
        accepted = await harness.queue_rows.accept(uid="bob")
        await asyncio.wait_for(harness.worker.given.wait(), 5)
    assert harness.worker.ids == [f"{accepted.id}-0"]


async def test_a_stop_hands_over_what_was_leased(harness: Harness) -> None:
    await harness.know("bob")
    settling, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Unsteady):
        async def settle(self, plans: Sequence[Plan]) -> PlanResults:
            settled = await super().settle(plans)
            settling.set()
            await go_on.wait()
            return settled

    harness.journal = Slow(harness.journal, 0)
    accepted = await harness.queue_rows.accept(uid="bob")
    async with harness.planning():
        await settling.wait()
        asyncio.get_running_loop().call_soon(go_on.set)
    assert harness.worker.ids == [f"{accepted.id}-0"]
