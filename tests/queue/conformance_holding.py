"""What every queue keeps to: channels and hosts that are held."""

import math
from typing import Any

import pytest

from router.core.model.outcome import Scope
from router.core.model.retry import Done, Hold
from router.queue.channels import is_stopped, start_sending, stop_sending
from router.queue.ports import CAUSES, Capacity, Cause, ChannelHold, Settlement
from tests.queue.scene import Engine, Scene

SUSPENDED: tuple[Cause, ...] = ("suspended",)


class HoldingConformance:
    """Subclass it with a fixture `engine`."""

    @pytest.mark.parametrize("cause", CAUSES)
    async def test_a_held_channel_gives_nothing_until_its_time(
        self, engine: Engine, cause: Cause
    ) -> None:
        scene = Scene(engine)
        held, free = await scene.put(channel="a"), await scene.put(channel="b")
        await engine.queue.pause("a", cause=cause, until=scene.now + 60)
        assert await scene.claimed() == [free]
        done = Settlement(delivery=free, attempt=scene.attempt(free), next=Done("x"))
        assert await engine.queue.settle([done]) == []
        await engine.crash()
        scene.now += 59
        assert await scene.claimed() == []
        until = scene.now + 1
        assert await engine.queue.holds(now=scene.now) == [
            ChannelHold(channel="a", cause=cause, until=until)
        ]
        scene.now += 1
        assert await scene.claimed() == [held]
        assert await engine.queue.holds(now=scene.now) == []

    async def test_of_two_times_for_a_cause_the_later_counts(self, engine: Engine) -> None:
        scene = Scene(engine)
        for seconds in (60, 90, 30):
            await engine.queue.pause("a", cause="suspended", until=scene.now + seconds)
        (held,) = await engine.queue.holds(now=scene.now)
        assert held.until == scene.now + 90

    async def test_a_pause_may_last_until_it_is_resumed(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put(expires_at=scene.now + 1e9)
        await engine.queue.pause("app", cause="paused", until=math.inf)
        scene.now += 1e8
        assert await scene.claimed() == []
        (held,) = await engine.queue.holds(now=scene.now)
        assert held.until == math.inf
        await engine.queue.resume("app")
        assert await scene.claimed() == [delivery]

    async def test_a_host_that_is_held_is_shown_and_holds_no_channel(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery, until = await scene.put(), scene.now + 60
        await engine.queue.pause("app", cause="open", until=until, host="down.example")
        assert await engine.queue.holds(now=scene.now) == [
            ChannelHold(channel="app", cause="open", host="down.example", until=until)
        ]
        assert await scene.claimed() == [delivery]
        await engine.queue.resume("app")
        assert await engine.queue.holds(now=scene.now) == []

    async def test_clearing_a_cause_leaves_the_others(self, engine: Engine) -> None:
        scene = Scene(engine)
        delivery = await scene.put(channel="a")
        await engine.queue.pause("a", cause="suspended", until=scene.now + 60)
        await engine.queue.pause("a", cause="paused", until=scene.now + 60)
        await engine.queue.resume("a", causes=("suspended", "open"))
        assert await scene.claimed() == []
        await engine.queue.resume("a")
        assert await scene.claimed() == [delivery]

    async def test_all_channels_are_held_at_once(self, engine: Engine) -> None:
        scene = Scene(engine)
        ids = [await scene.put(channel="a"), await scene.put(channel="b", urgent=True)]
        await stop_sending(engine.queue)
        assert await scene.claimed() == []
        room = dict.fromkeys(("a", "b"), Capacity(slots=9, non_urgent=9))
        assert await scene.claimed(room=room) == []
        await engine.crash()
        assert await scene.claimed() == []
        assert await is_stopped(engine.queue, scene.now)
        ids.append(await scene.put(channel="c"))
        await engine.queue.resume("a")
        assert await scene.claimed() == []
        await start_sending(engine.queue)
        assert set(await scene.claimed()) == set(ids)

    async def test_a_refused_recipient_is_held_alone_and_its_refusals_are_counted(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        blocked, other = await scene.put(address="bob"), await scene.put(address="ann")
        assert await scene.claimed() == [blocked, other]
        done = Settlement(delivery=other, attempt=scene.attempt(other), next=Done(""))
        await engine.queue.settle([done])
        await engine.queue.release([blocked])
        for refusals in range(3):
            leases = [(lease.delivery, lease.refusals) for lease in await scene.claim()]
            assert leases == [(blocked, refusals)]
            await refuse(scene, blocked, scope="recipient")
            assert await engine.queue.holds(now=scene.now) == []
            await engine.crash()
            scene.now += 59.9
            assert await scene.claimed() == []
            scene.now += 0.1
        assert await scene.claimed() == [blocked]
        done = Settlement(delivery=blocked, attempt=scene.attempt(blocked), next=Done(""))
        await engine.queue.settle([done])
        later = await scene.put(address="bob")
        assert [(each.delivery, each.refusals) for each in await scene.claim()] == [(later, 0)]

    async def test_a_suspension_lets_no_recipient_wait_longer(self, engine: Engine) -> None:
        scene = Scene(engine)
        blocked, last = await scene.put(address="bob"), await scene.put(address="ann")
        await scene.claim()
        await refuse(scene, blocked, scope="recipient", seconds=3600)
        await refuse(scene, last, scope="channel")
        scene.now += 60
        assert await scene.claimed() == [blocked, last]

    async def test_a_probe_is_taken_from_a_refused_lane_only_if_nothing_else_waits(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        room = {"app": Capacity(slots=1, non_urgent=1, probes=True)}
        poison = await scene.put(address="bob")
        await scene.claim()
        await refuse(scene, poison, scope="channel")
        same_lane, call = await scene.put(address="bob"), await scene.put(address="c", urgent=True)
        scene.now += 30
        fresh = await scene.put(address="ann")
        scene.now += 30
        for expected in (fresh, call, poison, same_lane):
            assert await scene.claimed(room=room) == [expected]
            done = Settlement(delivery=expected, attempt=scene.attempt(expected), next=Done(""))
            await engine.queue.settle([done])

    async def test_what_is_planned_for_a_refused_recipient_is_not_sent_at_once(
        self, engine: Engine
    ) -> None:
        scene = Scene(engine)
        blocked = await scene.put(address="bob", expires_at=scene.now + 10)
        await scene.claim()
        await refuse(scene, blocked, scope="recipient")
        scene.now += 20
        assert await scene.claimed() == []
        notification = await scene.accept()
        eager: dict[str, Any] = {"state": "sending", "lease_until": scene.now + 30, "handouts": 1}
        delivery = scene.delivery(notification.id, address="bob", **eager)
        settled = await scene.settle(scene.plan(notification.id, delivery))
        assert settled.leased == frozenset()
        assert await scene.claimed() == []
        scene.now += 40
        assert await scene.claimed() == [delivery.id]

    async def test_resuming_a_channel_forgets_its_refusals(self, engine: Engine) -> None:
        scene = Scene(engine)
        blocked = await scene.put()
        await scene.claim()
        await refuse(scene, blocked, scope="recipient", seconds=3600)
        await engine.queue.resume("app", causes=SUSPENDED)
        assert await scene.claimed() == []
        await engine.queue.resume("app")
        assert [(each.delivery, each.refusals) for each in await scene.claim()] == [(blocked, 0)]


async def refuse(scene: Scene, delivery: str, *, scope: Scope, seconds: float = 60) -> None:
    """Settle a delivery that its provider refused."""
    step = Hold(scene.now + seconds, "403 forbidden", scope=scope)
    attempt = scene.attempt(delivery, outcome="suspend")
    settlement = Settlement(delivery=delivery, attempt=attempt, next=step)
    assert await scene.engine.queue.settle([settlement]) == []
