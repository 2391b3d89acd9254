"""Providers that are down, and hosts that are: they get a rest, and nothing is burnt meanwhile."""

import asyncio
from urllib.parse import urlsplit

import pytest

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Retry, Unknown
from tests.worker.harness import Collapsing, Harness, Script, Scripted
from tests.worker.virtual_time import now, run_in_virtual_time


def down(until: float, outcome: Outcome, takes: float = 0.01) -> Script:
    """Play a provider that answers so until a time, and then takes everything."""

    async def script(message: Message) -> Outcome:
        is_down = now() < until
        await asyncio.sleep(takes if is_down else 0.01)
        return outcome if is_down else Delivered()

    return script


@pytest.mark.parametrize(
    ("outcome", "takes"),
    [(Retry(reason="refused"), 0.0), (Retry(status=503, reason="busy"), 0.2)],
    ids=["refused", "503"],
)
def test_while_it_is_down_deliveries_wait_and_burn_no_attempt(
    outcome: Outcome, takes: float
) -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.5)
        channel = harness.open(down(now() + 1000, outcome, takes), concurrency=8)
        other = harness.open(name="other")
        deliveries = [harness.plan(f"a{number}", expires_in=7200) for number in range(300)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(900)

        assert len(channel.sent) < 30
        held = [h for h in await harness.queue.holds(now=now()) if h.cause == "open"]
        assert [(h.channel, h.host) for h in held] == [("ops", "")]
        assert held[0].until - now() <= 300
        assert 'held{cause="open",channel="ops"} 1.0' in harness.metrics.exposition().decode()
        untouched = [d for d in deliveries if harness.queue.deliveries[d].attempts == 0]
        assert len(untouched) > 270
        elsewhere = harness.plan("z", channel="other", handed=True)
        await asyncio.sleep(0.1)
        assert harness.state(elsewhere)[0] == "delivered"
        assert len(other.sent) == 1

        await asyncio.sleep(1500)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        assert 'held{cause="open",channel="ops"} 0.0' in harness.metrics.exposition().decode()
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_provider_that_hangs_costs_what_was_in_flight_and_its_probes_alone() -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.5)
        hangs = down(now() + 600, Unknown(reason="no answer"), takes=16)
        channel = harness.open(hangs, concurrency=8)
        deliveries = [harness.plan(f"a{number}", expires_in=7200) for number in range(1000)]
        await harness.run(1200)

        states = [harness.state(name) for name in deliveries]
        dead = [state for state in states if state != ("delivered", "")]
        assert set(dead) == {("dead", "may_have_arrived")}
        assert len(dead) < 20
        assert channel.most_in_flight == 6

    run_in_virtual_time(scenario())


class Metered:
    """A provider that takes so many messages a second and answers 429 to the others."""

    def __init__(self, most: int, after: float | None) -> None:
        self.most = most
        self.after = after
        self.taken: list[float] = []
        self.refused = 0
        self.enough = asyncio.Event()

    async def play(self, message: Message) -> Outcome:
        await asyncio.sleep(0.05)
        if sum(now() - at < 1 for at in self.taken[-self.most :]) == self.most:
            self.refused += 1
            return Retry(status=429, reason="429 too many requests", after=self.after)
        self.taken.append(now())
        if len(self.taken) == 1000:
            self.enough.set()
        return Delivered()


@pytest.mark.parametrize("after", [1.0, 30.0, 0.0, None])
def test_a_storm_of_429_over_a_thousand_deliveries_ends_with_all_delivered(
    after: float | None,
) -> None:
    async def scenario() -> None:
        harness = Harness()
        provider = Metered(10, after)
        harness.open(provider.play)
        deliveries = [harness.plan(f"a{number}", expires_in=86400) for number in range(1000)]
        run = asyncio.create_task(harness.worker.run())
        async with asyncio.timeout(4 * 3600):
            await provider.enough.wait()
        await harness.worker.stop(1)
        await run

        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        assert {row.attempts for row in harness.queue.deliveries.values()} == {1}
        assert provider.refused < 3000

    run_in_virtual_time(scenario())


def test_one_address_that_is_throttled_holds_no_other_up() -> None:
    async def scenario() -> None:
        harness = Harness()

        async def script(message: Message) -> Outcome:
            await asyncio.sleep(0.01)
            if message.address == "chatty":
                return Retry(status=429, reason="this device is told too much", after=30)
            return Delivered()

        channel = harness.open(script)
        harness.plan("chatty")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        for number in range(100):
            delivery = harness.plan(f"a{number}", handed=True)
            await asyncio.sleep(10)
            assert harness.state(delivery)[0] == "delivered"
        assert 3 < sum(sent.message.address == "chatty" for sent in channel.sent) < 35
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


class Endpoints(Scripted):
    """A channel whose addresses are URLs of recipients' own hosts."""

    def host(self, address: str) -> str:
        return urlsplit(address).hostname or ""


@pytest.mark.parametrize("takes", [0.01, 12.0])
def test_a_host_that_is_down_holds_no_other_host_of_its_channel(takes: float) -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.5)
        back = now() + 900
        probes = 0

        async def script(message: Message) -> Outcome:
            nonlocal probes
            if "down.example" in message.address and now() < back:
                probes += 1
                await asyncio.sleep(takes)
                return Retry(reason="refused")
            await asyncio.sleep(0.01)
            return Delivered()

        channel = harness.open(script, kind=Endpoints, concurrency=8)
        waiting = [
            harness.plan(f"https://down.example/{number % 40}", expires_in=7200)
            for number in range(400)
        ]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(60)
        begun = probes
        (held,) = await harness.queue.holds(now=now())
        assert (held.channel, held.cause, held.host) == ("ops", "open", "down.example")
        for number in range(50):
            delivery = harness.plan(f"https://up.example/{number}", handed=True)
            await asyncio.sleep(12)
            assert harness.state(delivery)[0] == "delivered"
        assert probes - begun < 8
        assert max(row.attempts for row in harness.queue.deliveries.values()) <= 3

        await asyncio.sleep(1200)
        assert {harness.state(name)[0] for name in waiting} == {"delivered"}
        first_tries = list(dict.fromkeys(channel.order))
        for number in range(40):
            lane = waiting[number::40]
            assert [name for name in first_tries if name in lane] == lane
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_channel_that_cannot_name_a_host_sends_all_the_same() -> None:
    class Broken(Scripted):
        def host(self, address: str) -> str:
            raise KeyError(address)

    async def scenario() -> None:
        harness = Harness()
        harness.open(kind=Broken)
        delivery = harness.plan()
        await harness.run(2)
        assert harness.state(delivery)[0] == "delivered"

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("kind", [Collapsing, Endpoints])
@pytest.mark.parametrize("ways", ["queue", "worker"])
def test_resuming_ends_the_rest_at_once(kind: type[Scripted], ways: str) -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.9)
        harness.open(down(now() + 200, Retry(reason="refused")), kind=kind, concurrency=4)
        deliveries = [harness.plan(f"https://x.example/{n}", expires_in=7200) for n in range(40)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(250)
        assert await harness.queue.holds(now=now())
        if ways == "queue":
            await harness.queue.resume("ops")
        else:
            harness.worker.reset(["ops"])
        await asyncio.sleep(5)

        assert sum(harness.state(name)[0] == "delivered" for name in deliveries) >= 25
        assert not await harness.queue.holds(now=now())
        await harness.worker.stop(0)
        await run

    run_in_virtual_time(scenario())


def test_a_rest_is_told_to_the_queue_though_it_was_away_and_outlives_a_restart() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(
            down(now() + 1000, Retry(reason="refused", after=200)), concurrency=2
        )
        deliveries = [harness.plan(f"a{number}") for number in range(10)]

        def count() -> int:
            return len(channel.sent)

        await harness.run(1)
        harness.queue.down = True
        await harness.run(20)
        harness.queue.down = False
        await harness.run(5)
        sent = count()
        harness.worker = harness.new_worker()
        await harness.run(100)
        assert count() <= sent + 1
        assert all(harness.state(name)[0] == "waiting" for name in deliveries)

    run_in_virtual_time(scenario())
