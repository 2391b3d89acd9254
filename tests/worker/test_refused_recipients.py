"""Recipients that a provider refuses are held, and the channel where it is at fault itself."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from router.channel import Settings
from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend
from router.core.model.refusals import GONE_RECIPIENTS, MAX_HOLD_S, MIN_DISTINCT_RECIPIENTS
from router.core.model.retry import DEFAULT_SUSPENSION_S, MIN_SUSPENSION_S, Dead
from router.queue.ports import Settlement
from tests.worker.harness import Harness, Script, Scripted
from tests.worker.virtual_time import now, run_in_virtual_time

BLOCKED = Suspend(status=403, reason="403 forbidden", scope="recipient")
DAY = 86400.0


def refuse(whom: Callable[[str], bool], answer: Outcome = BLOCKED) -> Script:
    """Play a provider that refuses some recipients."""

    async def script(message: Message) -> Outcome:
        await asyncio.sleep(0.05)
        return answer if whom(message.address) else Delivered()

    return script


def refuse_all(until: float, answer: Outcome = BLOCKED) -> Script:
    """Play a provider that takes the channel's credential from a time on."""
    return refuse(lambda _: now() < until, answer)


def sent_to(channel: Scripted, address: str) -> list[float]:
    """Return when sends to an address began."""
    return [sent.began for sent in channel.sent if sent.message.address == address]


async def end(harness: Harness, run: "asyncio.Task[None]") -> None:
    await harness.worker.stop(0)
    await run


def test_one_blocked_recipient_is_held_and_stops_nobody() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(refuse(lambda address: address == "blocked"))
        poisoned = harness.plan("blocked", expires_in=8000)
        run = asyncio.create_task(harness.worker.run())
        for number in range(125):
            delivery = harness.plan(f"a{number}", handed=True)
            await asyncio.sleep(60)
            assert harness.state(delivery)[0] == "delivered"
            assert not await harness.queue.holds(now=now())

        assert harness.state(poisoned) == ("waiting", "403 forbidden")
        assert harness.queue.deliveries[poisoned].attempts == 0
        tries = sent_to(channel, "blocked")
        waits = [later - earlier for earlier, later in pairwise(tries)]
        assert waits == pytest.approx([60, 120, 240, 480, 960, 1920, MAX_HOLD_S], abs=1.5)
        await asyncio.sleep(600)
        assert harness.state(poisoned)[0] == "expired"
        assert len(sent_to(channel, "blocked")) == len(tries)
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_who_is_served_again_gets_what_was_held_in_its_order() -> None:
    async def scenario() -> None:
        harness = Harness()
        back = now() + 100
        channel = harness.open(refuse(lambda address: address == "anna" and now() < back))
        held = [harness.plan("anna") for _ in range(3)]
        run = asyncio.create_task(harness.worker.run())
        for _ in range(20):
            harness.plan("bob", handed=True)
            await asyncio.sleep(10)
        assert {harness.state(delivery)[0] for delivery in held} == {"delivered"}
        assert list(dict.fromkeys(name for name in channel.order if name in held)) == held
        assert not harness.queue.refusals
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_when_all_are_refused_the_channel_is_suspended_once_and_released_after() -> None:
    async def scenario() -> None:
        harness = Harness()
        back = now() + 200
        channel = harness.open(refuse_all(back), concurrency=8)
        deliveries = [harness.plan(f"a{number}") for number in range(50)]
        with capture_logs() as lines:
            run = asyncio.create_task(harness.worker.run())
            await asyncio.sleep(30)
            (held,) = await harness.queue.holds(now=now())
            assert (held.channel, held.cause) == ("ops", "suspended")
            assert len(channel.sent) == 6
            await asyncio.sleep(240)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        assert {row.attempts for row in harness.queue.deliveries.values()} == {1}
        assert max(sent.began for sent in channel.sent) < back + DEFAULT_SUSPENSION_S

        probes = sorted(channel.sent, key=lambda sent: sent.began)[6:]
        refused = {sent.message.address for sent in channel.sent[:6]}
        for probe in probes[:3]:
            assert probe.message.address not in refused
            refused.add(probe.message.address)
        (line,) = [line for line in lines if line["log_level"] == "error"]
        assert (line["event"], line["channel"]) == ("channel suspended", "ops")
        assert line["reason"] == "403 forbidden"
        assert line["until"]
        assert [line["channel"] for line in lines if line["event"] == "channel resumed"] == ["ops"]
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_a_probe_is_never_what_caused_the_suspension_while_another_waits() -> None:
    async def scenario() -> None:
        harness = Harness()
        answer = Suspend(status=402, reason="no credit", after=20)
        channel = harness.open(refuse(lambda address: address == "poison", answer))
        poisoned = harness.plan("poison")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(1)
        others = [harness.plan(f"a{number}") for number in range(10)]
        await asyncio.sleep(24)
        assert {harness.state(name)[0] for name in others} == {"delivered"}
        assert channel.order[1] == others[0]
        assert harness.state(poisoned)[0] == "waiting"
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_the_poison_is_not_the_probe_of_another_process_or_after_a_restart_either() -> None:
    async def scenario() -> None:
        harness = Harness()
        answer = Suspend(status=402, reason="no credit", after=20)
        channel = harness.open(refuse(lambda address: address == "poison", answer))
        harness.plan("poison")
        await harness.run(2)
        harness.worker = harness.new_worker()
        fresh = harness.plan("fresh")
        await harness.run(21)
        assert channel.order[1] == fresh
        assert harness.state(fresh)[0] == "delivered"

    run_in_virtual_time(scenario())


def test_many_blocked_recipients_among_those_who_are_served_suspend_nothing() -> None:
    async def scenario() -> None:
        harness = Harness()
        blocked = {f"b{number}" for number in range(20)}
        channel = harness.open(refuse(blocked.__contains__), concurrency=8)
        run = asyncio.create_task(harness.worker.run())
        for number in range(100):
            harness.plan(f"b{number % 20}", handed=True, expires_in=DAY)
            delivery = harness.plan(f"a{number}", handed=True)
            await asyncio.sleep(20)
            assert harness.state(delivery)[0] == "delivered"
            assert not await harness.queue.holds(now=now())
        assert len([s for s in channel.sent if s.message.address in blocked]) <= 20 * 6
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_a_suspension_for_refusals_ends_as_soon_as_somebody_is_served() -> None:
    async def scenario() -> None:
        harness = Harness()
        blocked = [f"b{number}" for number in range(MIN_DISTINCT_RECIPIENTS)]

        async def script(message: Message) -> Outcome:
            await asyncio.sleep(0.05 if message.address in blocked else 0.5)
            return BLOCKED if message.address in blocked else Delivered()

        channel = harness.open(script, concurrency=8)
        for address in blocked:
            harness.plan(address)
        others = [harness.plan(f"a{number}") for number in range(40)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(20)
        assert {harness.state(name)[0] for name in others} == {"delivered"}
        assert len([s for s in channel.sent if s.message.address in blocked]) == len(blocked)
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_one_person_refused_at_several_addresses_stops_nobody() -> None:
    async def scenario() -> None:
        harness = Harness()
        phones = [f"phone{number}" for number in range(2 * MIN_DISTINCT_RECIPIENTS)]
        harness.open(refuse(phones.__contains__))
        for phone in phones:
            harness.register(f"contact of {phone}", phone)
            harness.plan(phone, contact=f"contact of {phone}", uid="anna")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(2)
        assert not await harness.queue.holds(now=now())
        delivery = harness.plan("bob", handed=True)
        await asyncio.sleep(1)
        assert harness.state(delivery)[0] == "delivered"
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_a_destination_of_the_operator_s_own_suspends_the_channel_at_once() -> None:
    class Fixed(Scripted):
        @classmethod
        def needs_contact(cls, settings: Settings) -> bool:  # noqa: ARG003 - as the port has it
            return False

    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(refuse_all(now() + 100), kind=Fixed, concurrency=2)
        deliveries = [harness.plan("", uid=f"u{number}") for number in range(6)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(30)
        assert [held.cause for held in await harness.queue.holds(now=now())] == ["suspended"]
        assert len(channel.sent) == 1
        await asyncio.sleep(120)
        assert {harness.state(name)[0] for name in deliveries} == {"delivered"}
        await end(harness, run)

    run_in_virtual_time(scenario())


def test_a_host_of_a_recipient_s_own_says_nothing_of_the_channel() -> None:
    class Hosts(Scripted):
        def host(self, address: str) -> str:
            return address

    async def scenario() -> None:
        harness = Harness()
        harness.open(refuse(lambda address: address != "good"), kind=Hosts)
        for number in range(20):
            harness.plan(f"bad{number}")
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(5)
        assert not await harness.queue.holds(now=now())
        delivery = harness.plan("good", handed=True)
        await asyncio.sleep(1)
        assert harness.state(delivery)[0] == "delivered"
        await end(harness, run)

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("is_host_its_own", [False, True])
def test_a_provider_that_calls_everybody_dead_costs_few_contacts(*, is_host_its_own: bool) -> None:
    class Hosts(Scripted):
        def host(self, address: str) -> str:
            return address if is_host_its_own else ""

    async def scenario() -> None:
        harness = Harness()
        forgotten: list[str] = []
        settle = harness.queue.settle

        async def watch(settlements: Sequence[Settlement]) -> Sequence[str]:
            forgotten.extend(
                settlement.delivery
                for settlement in settlements
                if isinstance(settlement.next, Dead) and settlement.next.forget_contact
            )
            return await settle(settlements)

        vars(harness.queue)["settle"] = watch
        harness.worker = harness.new_worker()
        gone = Rejected(status=410, reason="gone", forget_contact=True)
        harness.open(refuse(lambda address: address != "good", gone), kind=Hosts, concurrency=1)

        def plan(address: str) -> str:
            harness.register(f"contact of {address}", address)
            return harness.plan(address, contact=f"contact of {address}")

        first = [plan(f"a{number}") for number in range(10)]
        run = asyncio.create_task(harness.worker.run())
        await asyncio.sleep(30)
        assert {harness.state(delivery)[0] for delivery in first} == {"dead"}
        assert forgotten == (first if is_host_its_own else first[:GONE_RECIPIENTS])
        plan("good")
        await asyncio.sleep(5)
        last = plan("b")
        await asyncio.sleep(5)
        assert forgotten[-1] == last
        await end(harness, run)

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("way", ["operator", "settings"])
def test_resuming_a_channel_lets_its_held_recipients_go_at_once(way: str) -> None:
    async def scenario() -> None:
        harness = Harness()
        back = now() + 1000
        harness.open(refuse(lambda address: address == "anna" and now() < back))
        delivery = harness.plan("anna", expires_in=DAY)
        run = asyncio.create_task(harness.worker.run())
        for _ in range(101):
            harness.plan("bob", handed=True)
            await asyncio.sleep(10)
        assert harness.state(delivery)[0] == "waiting"
        if way == "operator":
            await harness.queue.resume("ops")
        else:
            harness.worker.reset(["ops"])
        await asyncio.sleep(2)
        assert harness.state(delivery)[0] == "delivered"
        await end(harness, run)

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("after", [0, -1, float("nan"), 0.001, None])
@pytest.mark.parametrize(
    "answer", [Suspend(reason="key"), BLOCKED, Retry(status=429, reason="slow down")]
)
def test_whatever_time_a_plugin_names_it_is_not_asked_again_and_again(
    answer: Suspend | Retry, after: float | None
) -> None:
    async def scenario() -> None:
        harness = Harness(dice=lambda: 0.0)

        async def script(message: Message) -> Outcome:
            kind = type(answer)
            return kind(
                **{**{f: getattr(answer, f) for f in answer.__struct_fields__}, "after": after}
            )

        channel = harness.open(script)
        addresses: Collection[str] = "abcdefgh"
        for address in addresses:
            harness.plan(address)
        await harness.run(60)
        assert len(channel.sent) <= len(addresses) + 60 / MIN_SUSPENSION_S

    run_in_virtual_time(scenario())
