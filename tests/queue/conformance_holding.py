"""What every queue keeps to: channels and hosts that are held."""

import math

import pytest

from router.core.retry import Done
from router.queue.channels import is_stopped, start_sending, stop_sending
from router.queue.ports import CAUSES, Cause, Held, Room, Settlement
from tests.queue.scene import Engine, Scene


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
            Held(channel="a", cause=cause, until=until)
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
            Held(channel="app", cause="open", host="down.example", until=until)
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
        room = dict.fromkeys(("a", "b"), Room(slots=9, ordinary=9))
        assert await scene.claimed(room=room) == []
        await engine.crash()
        assert await scene.claimed() == []
        assert await is_stopped(engine.queue, scene.now)
        ids.append(await scene.put(channel="c"))
        await engine.queue.resume("a")
        assert await scene.claimed() == []
        await start_sending(engine.queue)
        assert set(await scene.claimed()) == set(ids)
