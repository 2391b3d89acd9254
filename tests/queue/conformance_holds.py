"""What every queue keeps to: channels and hosts that are held."""

import math
from typing import Any

import pytest

from router.core.model.outcome import Scope
from router.core.model.retry import Done, Hold
from router.queue.channels import is_stopped, start_sending, stop_sending
from router.queue.ports import CAUSES, Capacity, Cause, ChannelHold, Settlement
from tests.queue.rows import Engine, QueueRows

SUSPENDED: tuple[Cause, ...] = ("suspended",)


class HoldingConformance:
    """Subclass it with a fixture `engine`."""

    @pytest.mark.parametrize("cause", CAUSES)
    async def test_a_held_channel_gives_nothing_until_its_time(
        self, engine: Engine, cause: Cause
    ) -> None:
        queue_rows = QueueRows(engine)
        held, free = await queue_rows.put(channel="a"), await queue_rows.put(channel="b")
        await engine.queue.pause("a", cause=cause, until=queue_rows.now + 60)
        assert await queue_rows.claimed() == [free]
        done = Settlement(delivery=free, attempt=queue_rows.attempt(free), next=Done("x"))
        assert await engine.queue.settle([done]) == []
        await engine.crash()
        queue_rows.now += 59
        assert await queue_rows.claimed() == []
        until = queue_rows.now + 1
        assert await engine.queue.holds(now=queue_rows.now) == [
            ChannelHold(channel="a", cause=cause, until=until)
        ]
        queue_rows.now += 1
        assert await queue_rows.claimed() == [held]
        assert await engine.queue.holds(now=queue_rows.now) == []

    async def test_of_two_times_for_a_cause_the_later_counts(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        for seconds in (60, 90, 30):
            await engine.queue.pause("a", cause="suspended", until=queue_rows.now + seconds)
        (held,) = await engine.queue.holds(now=queue_rows.now)
        assert held.until == queue_rows.now + 90

    async def test_a_pause_may_last_until_it_is_resumed(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put(expires_at=queue_rows.now + 1e9)
        await engine.queue.pause("app", cause="paused", until=math.inf)
        queue_rows.now += 1e8
        assert await queue_rows.claimed() == []
        (held,) = await engine.queue.holds(now=queue_rows.now)
        assert held.until == math.inf
        await engine.queue.resume("app")
        assert await queue_rows.claimed() == [delivery]

    async def test_a_host_that_is_held_is_shown_and_holds_no_channel(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery, until = await queue_rows.put(), queue_rows.now + 60
        await engine.queue.pause("app", cause="open", until=until, host="down.example")
        assert await engine.queue.holds(now=queue_rows.now) == [
            ChannelHold(channel="app", cause="open", host="down.example", until=until)
        ]
        assert await queue_rows.claimed() == [delivery]
        await engine.queue.resume("app")
        assert await engine.queue.holds(now=queue_rows.now) == []

    async def test_clearing_a_cause_leaves_the_others(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        delivery = await queue_rows.put(channel="a")
        await engine.queue.pause("a", cause="suspended", until=queue_rows.now + 60)
        await engine.queue.pause("a", cause="paused", until=queue_rows.now + 60)
        await engine.queue.resume("a", causes=("suspended", "open"))
        assert await queue_rows.claimed() == []
        await engine.queue.resume("a")
        assert await queue_rows.claimed() == [delivery]

    async def test_all_channels_are_held_at_once(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ids = [await queue_rows.put(channel="a"), await queue_rows.put(channel="b", urgent=True)]
        await stop_sending(engine.queue)
        assert await queue_rows.claimed() == []
        room = dict.fromkeys(("a", "b"), Capacity(slots=9, non_urgent=9))
        assert await queue_rows.claimed(room=room) == []
        await engine.crash()
        assert await queue_rows.claimed() == []
        assert await is_stopped(engine.queue, queue_rows.now)
        ids.append(await queue_rows.put(channel="c"))
        await engine.queue.resume("a")
        assert await queue_rows.claimed() == []
        await start_sending(engine.queue)
        assert set(await queue_rows.claimed()) == set(ids)

    async def test_a_refused_recipient_is_held_alone_and_its_refusals_are_counted(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        blocked, other = await queue_rows.put(address="bob"), await queue_rows.put(address="ann")
        assert await queue_rows.claimed() == [blocked, other]
        done = Settlement(delivery=other, attempt=queue_rows.attempt(other), next=Done(""))
        await engine.queue.settle([done])
        await engine.queue.release([blocked])
        for refusals in range(3):
            leases = [(lease.delivery, lease.refusals) for lease in await queue_rows.claim()]
            assert leases == [(blocked, refusals)]
            await refuse(queue_rows, blocked, scope="recipient")
            assert await engine.queue.holds(now=queue_rows.now) == []
            await engine.crash()
            queue_rows.now += 59.9
            assert await queue_rows.claimed() == []
            queue_rows.now += 0.1
        assert await queue_rows.claimed() == [blocked]
        done = Settlement(delivery=blocked, attempt=queue_rows.attempt(blocked), next=Done(""))
        await engine.queue.settle([done])
        later = await queue_rows.put(address="bob")
        assert [(each.delivery, each.refusals) for each in await queue_rows.claim()] == [(later, 0)]

    async def test_a_suspension_lets_no_recipient_wait_longer(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        blocked, last = await queue_rows.put(address="bob"), await queue_rows.put(address="ann")
        await queue_rows.claim()
        await refuse(queue_rows, blocked, scope="recipient", seconds=3600)
        await refuse(queue_rows, last, scope="channel")
        queue_rows.now += 60
        assert await queue_rows.claimed() == [blocked, last]

    async def test_a_probe_is_taken_from_a_refused_lane_only_if_nothing_else_waits(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        room = {"app": Capacity(slots=1, non_urgent=1, probes=True)}
        poison = await queue_rows.put(address="bob")
        await queue_rows.claim()
        await refuse(queue_rows, poison, scope="channel")
        same_lane, call = (
            await queue_rows.put(address="bob"),
            await queue_rows.put(address="c", urgent=True),
        )
        queue_rows.now += 30
        fresh = await queue_rows.put(address="ann")
        queue_rows.now += 30
        for expected in (fresh, call, poison, same_lane):
            assert await queue_rows.claimed(room=room) == [expected]
            done = Settlement(
                delivery=expected, attempt=queue_rows.attempt(expected), next=Done("")
            )
            await engine.queue.settle([done])

    async def test_what_is_planned_for_a_refused_recipient_is_not_sent_at_once(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        blocked = await queue_rows.put(address="bob", expires_at=queue_rows.now + 10)
        await queue_rows.claim()
        await refuse(queue_rows, blocked, scope="recipient")
        queue_rows.now += 20
        assert await queue_rows.claimed() == []
        notification = await queue_rows.accept()
        eager: dict[str, Any] = {
            "state": "sending",
            "lease_until": queue_rows.now + 30,
            "handouts": 1,
        }
        delivery = queue_rows.delivery(notification.id, address="bob", **eager)
        settled = await queue_rows.settle(queue_rows.plan(notification.id, delivery))
        assert settled.leased == frozenset()
        assert await queue_rows.claimed() == []
        queue_rows.now += 40
        assert await queue_rows.claimed() == [delivery.id]

    async def test_resuming_a_channel_forgets_its_refusals(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        blocked = await queue_rows.put()
        await queue_rows.claim()
        await refuse(queue_rows, blocked, scope="recipient", seconds=3600)
        await engine.queue.resume("app", causes=SUSPENDED)
        assert await queue_rows.claimed() == []
        await engine.queue.resume("app")
        assert [(each.delivery, each.refusals) for each in await queue_rows.claim()] == [
            (blocked, 0)
        ]


async def refuse(
    queue_rows: QueueRows, delivery: str, *, scope: Scope, seconds: float = 60
) -> None:
    """Settle a delivery that its provider refused."""
    step = Hold(queue_rows.now + seconds, "403 forbidden", scope=scope)
    attempt = queue_rows.attempt(delivery, outcome="suspend")
    settlement = Settlement(delivery=delivery, attempt=attempt, next=step)
    assert await queue_rows.engine.queue.settle([settlement]) == []
