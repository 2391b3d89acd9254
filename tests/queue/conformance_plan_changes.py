"""What every journal keeps to where plans change what was planned before."""

from msgspec.structs import replace

from router.core.model.facts import (
    Cancellation,
    OnceKey,
    StateChanges,
    ThrottleWindow,
    WindowUpdate,
)
from tests.queue.rows import START, Engine, QueueRows

WINDOW = ThrottleWindow(closes_at=START + 60, count=1)


def move(before: ThrottleWindow | None, count: int = 1, key: str = "k") -> StateChanges:
    after = replace(WINDOW, count=count)
    return StateChanges(counters=(WindowUpdate(key=key, before=before, after=after),))


def end(delivery: str) -> StateChanges:
    return StateChanges(
        endings=(Cancellation(delivery=delivery, state="cancelled", reason="deleted"),)
    )


class RevisingConformance:
    """Subclass it with a fixture `engine`."""

    async def test_a_counter_moves_from_where_it_was_read(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        steps = ((move(None), True), (move(None), False), (move(WINDOW, 2), True))
        for effects, is_taken in (*steps, (move(WINDOW, 2), False)):
            one = await queue_rows.accept()
            settled = await queue_rows.settle(queue_rows.plan(one.id, effects=effects))
            assert settled.stale == (frozenset() if is_taken else {one.id})
            assert await engine.state(one.id) == ("dropped" if is_taken else "accepted")
            if not is_taken:
                await queue_rows.settle(queue_rows.plan(one.id))

    async def test_plans_of_a_batch_move_a_counter_one_after_another(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        one, two, three = [await queue_rows.accept() for _ in range(3)]
        chain = (move(None), move(WINDOW, 2), move(replace(WINDOW, count=2), 3))
        plans = [
            queue_rows.plan(each.id, effects=effects)
            for each, effects in zip((one, two, three), chain, strict=True)
        ]
        assert (await engine.journal.settle(plans[1:])).stale == {two.id, three.id}
        assert (await engine.journal.settle(plans)).stale == frozenset()

    async def test_only_what_waits_is_ended(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        sent = await queue_rows.put()
        assert await queue_rows.claimed() == [sent]
        waits = await queue_rows.put()
        for delivery, is_taken in ((sent, False), (waits, True), (waits, False), ("x-0", False)):
            one = await queue_rows.accept()
            settled = await queue_rows.settle(queue_rows.plan(one.id, effects=end(delivery)))
            assert settled.stale == (frozenset() if is_taken else {one.id})
            await queue_rows.settle(queue_rows.plan(one.id))
        assert (await engine.delivery(sent)).state == "sending"
        ended = await engine.delivery(waits)
        assert (ended.state, ended.reason) == ("cancelled", "deleted")
        assert await engine.state(ended.notification) == "undelivered"

    async def test_what_is_planned_in_a_batch_can_be_ended_in_it(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        one, two = await queue_rows.accept(), await queue_rows.accept()
        waits = queue_rows.delivery(one.id)
        plans = [queue_rows.plan(one.id, waits), queue_rows.plan(two.id, effects=end(waits.id))]
        assert (await engine.journal.settle(plans)).stale == frozenset()
        assert (await engine.delivery(waits.id)).state == "cancelled"
        assert await engine.state(one.id) == "undelivered"
        assert await queue_rows.claimed() == []

    async def test_what_is_leased_in_a_batch_is_not_ended_in_it(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        one, two = await queue_rows.accept(), await queue_rows.accept()
        leased = queue_rows.delivery(
            one.id, state="sending", lease_until=queue_rows.now + 30, handouts=1
        )
        plans = [queue_rows.plan(one.id, leased), queue_rows.plan(two.id, effects=end(leased.id))]
        settled = await engine.journal.settle(plans)
        assert settled.leased == {leased.id}
        assert settled.stale == {two.id}

    async def test_what_rests_on_a_stale_plan_is_stale(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first = await queue_rows.accept()
        await queue_rows.settle(queue_rows.plan(first.id, effects=move(None)))
        one, two = await queue_rows.accept(), await queue_rows.accept()
        key = OnceKey(event="e", rule="r", step=0, channel="c", address="a")
        holds = queue_rows.delivery(one.id)
        effects = replace(move(None), once=((key, holds.id),))
        other = queue_rows.delivery(two.id, state="suppressed", reason=f"once: {holds.id}")
        plans = [queue_rows.plan(one.id, holds, effects=effects), queue_rows.plan(two.id, other)]
        assert (await engine.journal.settle(plans)).stale == {one.id, two.id}
        assert await engine.holder(key) is None
