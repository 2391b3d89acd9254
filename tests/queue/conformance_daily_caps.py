"""Every queue counts sends against daily caps, and holds a channel that has reached its own."""

from typing import Literal

from router.core.model.daily_cap import CAPPED, Cap, day_of, end_of
from router.core.model.retry import Again, Done
from router.queue.ports import ChannelHold, DailyCount, Settlement
from tests.queue.rows import Engine, QueueRows


def cap_of(scope: Literal["channel", "app"] = "channel", limit: int = 2) -> Cap:
    return Cap(scope, "app", limit)


async def send(queue_rows: QueueRows, *caps: Cap) -> None:
    """Put a delivery, claim it, and settle it as taken."""
    delivery = await queue_rows.put()
    assert await queue_rows.claimed() == [delivery]
    attempt = queue_rows.attempt(delivery)
    settlement = Settlement(delivery=delivery, attempt=attempt, next=Done("x"), caps=caps)
    assert await queue_rows.engine.queue.settle([settlement]) == []


class CapConformance:
    """Subclass it with a fixture `engine`."""

    async def test_sends_are_counted_with_their_outcomes_and_stay_counted(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        await send(queue_rows, cap_of(), cap_of("app", 5))
        await send(queue_rows)
        await engine.crash()
        counts = await engine.queue.daily_counts(now=queue_rows.now)
        assert sorted(counts, key=lambda count: count.cap.scope) == [
            DailyCount(cap=cap_of("app", 5), count=1),
            DailyCount(cap=cap_of(), count=1),
        ]

    async def test_a_channel_is_held_at_its_cap_until_the_next_day(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        until = end_of(day_of(queue_rows.now))
        await send(queue_rows, cap_of())
        assert await engine.queue.holds(now=queue_rows.now) == []
        await send(queue_rows, cap_of())
        await engine.crash()
        held = ChannelHold(channel="app", cause="cap", until=until)
        assert await engine.queue.holds(now=queue_rows.now) == [held]
        waiting = await queue_rows.put(expires_at=until + 60)
        assert await queue_rows.claimed() == []
        queue_rows.now = until
        assert await engine.queue.holds(now=queue_rows.now) == []
        assert await engine.queue.daily_counts(now=queue_rows.now) == []
        assert await queue_rows.claimed() == [waiting]

    async def test_the_cap_of_an_app_holds_no_channel(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        await send(queue_rows, cap_of("app", 1))
        assert await engine.queue.holds(now=queue_rows.now) == []
        await send(queue_rows)

    async def test_another_cap_holds_and_lets_go(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        await send(queue_rows, cap_of())
        await engine.queue.set_cap(cap_of(limit=1), now=queue_rows.now)
        assert [held.cause for held in await engine.queue.holds(now=queue_rows.now)] == ["cap"]
        for limit in (2, 0):
            await engine.queue.set_cap(cap_of(limit=limit), now=queue_rows.now)
            assert await engine.queue.holds(now=queue_rows.now) == []

    async def test_resuming_lifts_a_cap_that_is_reached_for_the_rest_of_the_day(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        await send(queue_rows, cap_of())
        await engine.queue.resume("app")
        await send(queue_rows, cap_of())
        assert [held.cause for held in await engine.queue.holds(now=queue_rows.now)] == ["cap"]
        await engine.queue.resume("app", causes=("suspended", "open"))
        assert [held.cause for held in await engine.queue.holds(now=queue_rows.now)] == ["cap"]
        await engine.queue.resume("app")
        assert await engine.queue.holds(now=queue_rows.now) == []
        await send(queue_rows, cap_of())
        (count,) = await engine.queue.daily_counts(now=queue_rows.now)
        assert (count.count, count.lifted) == (3, True)
        assert await engine.queue.holds(now=queue_rows.now) == []

    async def test_what_waits_for_an_app_s_cap_is_due_again_when_the_cap_is_raised(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        await send(queue_rows, cap_of("app", 1))
        capped, other = await queue_rows.put(), await queue_rows.put()
        await queue_rows.claim()
        tomorrow = end_of(day_of(queue_rows.now))
        waits = Again(tomorrow, counts=False, reason=CAPPED)
        later = Again(tomorrow)
        await engine.queue.settle(
            [
                Settlement(delivery=capped, attempt=None, next=waits),
                Settlement(delivery=other, attempt=queue_rows.attempt(other), next=later),
            ]
        )
        row = await engine.delivery(capped)
        assert (row.state, row.reason, row.attempts, row.due_at) == (
            *("waiting", CAPPED),
            *(0, tomorrow),
        )
        await engine.queue.set_cap(cap_of("app", 1), now=queue_rows.now)
        assert await queue_rows.claimed() == []
        await engine.queue.set_cap(cap_of("app", 2), now=queue_rows.now)
        assert await queue_rows.claimed() == [capped]
