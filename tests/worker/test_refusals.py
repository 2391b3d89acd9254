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
from tests.worker.stage import Script, Scripted, Stage
from tests.worker.virtual import now, play

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


async def end(stage: Stage, run: "asyncio.Task[None]") -> None:
    await stage.worker.stop(0)
    await run


def test_one_blocked_recipient_is_held_and_stops_nobody() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open(refuse(lambda address: address == "blocked"))
        poisoned = stage.plan("blocked", expires_in=8000)
        run = asyncio.create_task(stage.worker.run())
        for number in range(125):
            delivery = stage.plan(f"a{number}", handed=True)
            await asyncio.sleep(60)
            assert stage.state(delivery)[0] == "delivered"
            assert not await stage.queue.holds(now=now())

        assert stage.state(poisoned) == ("waiting", "403 forbidden")
        assert stage.queue.deliveries[poisoned].attempts == 0
        tries = sent_to(channel, "blocked")
        waits = [later - earlier for earlier, later in pairwise(tries)]
        assert waits == pytest.approx([60, 120, 240, 480, 960, 1920, MAX_HOLD_S], abs=1.5)
        await asyncio.sleep(600)
        assert stage.state(poisoned)[0] == "expired"
        assert len(sent_to(channel, "blocked")) == len(tries)
        await end(stage, run)

    play(scene())


def test_who_is_served_again_gets_what_was_held_in_its_order() -> None:
    async def scene() -> None:
        stage = Stage()
        back = now() + 100
        channel = stage.open(refuse(lambda address: address == "anna" and now() < back))
        held = [stage.plan("anna") for _ in range(3)]
        run = asyncio.create_task(stage.worker.run())
        for _ in range(20):
            stage.plan("bob", handed=True)
            await asyncio.sleep(10)
        assert {stage.state(delivery)[0] for delivery in held} == {"delivered"}
        assert list(dict.fromkeys(name for name in channel.order if name in held)) == held
        assert not stage.queue.refusals
        await end(stage, run)

    play(scene())


def test_when_all_are_refused_the_channel_is_suspended_once_and_released_after() -> None:
    async def scene() -> None:
        stage = Stage()
        back = now() + 200
        channel = stage.open(refuse_all(back), concurrency=8)
        deliveries = [stage.plan(f"a{number}") for number in range(50)]
        with capture_logs() as lines:
            run = asyncio.create_task(stage.worker.run())
            await asyncio.sleep(30)
            (held,) = await stage.queue.holds(now=now())
            assert (held.channel, held.cause) == ("ops", "suspended")
            assert len(channel.sent) == 6
            await asyncio.sleep(240)
        assert {stage.state(name)[0] for name in deliveries} == {"delivered"}
        assert {row.attempts for row in stage.queue.deliveries.values()} == {1}
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
        await end(stage, run)

    play(scene())


def test_a_probe_is_never_what_caused_the_suspension_while_another_waits() -> None:
    async def scene() -> None:
        stage = Stage()
        answer = Suspend(status=402, reason="no credit", after=20)
        channel = stage.open(refuse(lambda address: address == "poison", answer))
        poisoned = stage.plan("poison")
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(1)
        others = [stage.plan(f"a{number}") for number in range(10)]
        await asyncio.sleep(24)
        assert {stage.state(name)[0] for name in others} == {"delivered"}
        assert channel.order[1] == others[0]
        assert stage.state(poisoned)[0] == "waiting"
        await end(stage, run)

    play(scene())


def test_the_poison_is_not_the_probe_of_another_process_or_after_a_restart_either() -> None:
    async def scene() -> None:
        stage = Stage()
        answer = Suspend(status=402, reason="no credit", after=20)
        channel = stage.open(refuse(lambda address: address == "poison", answer))
        stage.plan("poison")
        await stage.run(2)
        stage.worker = stage.new_worker()
        fresh = stage.plan("fresh")
        await stage.run(21)
        assert channel.order[1] == fresh
        assert stage.state(fresh)[0] == "delivered"

    play(scene())


def test_many_blocked_recipients_among_those_who_are_served_suspend_nothing() -> None:
    async def scene() -> None:
        stage = Stage()
        blocked = {f"b{number}" for number in range(20)}
        channel = stage.open(refuse(blocked.__contains__), concurrency=8)
        run = asyncio.create_task(stage.worker.run())
        for number in range(100):
            stage.plan(f"b{number % 20}", handed=True, expires_in=DAY)
            delivery = stage.plan(f"a{number}", handed=True)
            await asyncio.sleep(20)
            assert stage.state(delivery)[0] == "delivered"
            assert not await stage.queue.holds(now=now())
        assert len([s for s in channel.sent if s.message.address in blocked]) <= 20 * 6
        await end(stage, run)

    play(scene())


def test_a_suspension_for_refusals_ends_as_soon_as_somebody_is_served() -> None:
    async def scene() -> None:
        stage = Stage()
        blocked = [f"b{number}" for number in range(MIN_DISTINCT_RECIPIENTS)]

        async def script(message: Message) -> Outcome:
            await asyncio.sleep(0.05 if message.address in blocked else 0.5)
            return BLOCKED if message.address in blocked else Delivered()

        channel = stage.open(script, concurrency=8)
        for address in blocked:
            stage.plan(address)
        others = [stage.plan(f"a{number}") for number in range(40)]
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(20)
        assert {stage.state(name)[0] for name in others} == {"delivered"}
        assert len([s for s in channel.sent if s.message.address in blocked]) == len(blocked)
        await end(stage, run)

    play(scene())


def test_one_person_refused_at_several_addresses_stops_nobody() -> None:
    async def scene() -> None:
        stage = Stage()
        phones = [f"phone{number}" for number in range(2 * MIN_DISTINCT_RECIPIENTS)]
        stage.open(refuse(phones.__contains__))
        for phone in phones:
            stage.register(f"contact of {phone}", phone)
            stage.plan(phone, contact=f"contact of {phone}", uid="anna")
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(2)
        assert not await stage.queue.holds(now=now())
        delivery = stage.plan("bob", handed=True)
        await asyncio.sleep(1)
        assert stage.state(delivery)[0] == "delivered"
        await end(stage, run)

    play(scene())


def test_a_destination_of_the_operator_s_own_suspends_the_channel_at_once() -> None:
    class Fixed(Scripted):
        @classmethod
        def needs_contact(cls, settings: Settings) -> bool:  # noqa: ARG003 - as the port has it
            return False

    async def scene() -> None:
        stage = Stage()
        channel = stage.open(refuse_all(now() + 100), kind=Fixed, concurrency=2)
        deliveries = [stage.plan("", uid=f"u{number}") for number in range(6)]
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(30)
        assert [held.cause for held in await stage.queue.holds(now=now())] == ["suspended"]
        assert len(channel.sent) == 1
        await asyncio.sleep(120)
        assert {stage.state(name)[0] for name in deliveries} == {"delivered"}
        await end(stage, run)

    play(scene())


def test_a_host_of_a_recipient_s_own_says_nothing_of_the_channel() -> None:
    class Hosts(Scripted):
        def host(self, address: str) -> str:
            return address

    async def scene() -> None:
        stage = Stage()
        stage.open(refuse(lambda address: address != "good"), kind=Hosts)
        for number in range(20):
            stage.plan(f"bad{number}")
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(5)
        assert not await stage.queue.holds(now=now())
        delivery = stage.plan("good", handed=True)
        await asyncio.sleep(1)
        assert stage.state(delivery)[0] == "delivered"
        await end(stage, run)

    play(scene())


@pytest.mark.parametrize("is_host_its_own", [False, True])
def test_a_provider_that_calls_everybody_dead_costs_few_contacts(*, is_host_its_own: bool) -> None:
    class Hosts(Scripted):
        def host(self, address: str) -> str:
            return address if is_host_its_own else ""

    async def scene() -> None:
        stage = Stage()
        forgotten: list[str] = []
        settle = stage.queue.settle

        async def watch(settlements: Sequence[Settlement]) -> Sequence[str]:
            forgotten.extend(
                settlement.delivery
                for settlement in settlements
                if isinstance(settlement.next, Dead) and settlement.next.forget_contact
            )
            return await settle(settlements)

        vars(stage.queue)["settle"] = watch
        stage.worker = stage.new_worker()
        gone = Rejected(status=410, reason="gone", forget_contact=True)
        stage.open(refuse(lambda address: address != "good", gone), kind=Hosts, concurrency=1)

        def plan(address: str) -> str:
            stage.register(f"contact of {address}", address)
            return stage.plan(address, contact=f"contact of {address}")

        first = [plan(f"a{number}") for number in range(10)]
        run = asyncio.create_task(stage.worker.run())
        await asyncio.sleep(30)
        assert {stage.state(delivery)[0] for delivery in first} == {"dead"}
        assert forgotten == (first if is_host_its_own else first[:GONE_RECIPIENTS])
        plan("good")
        await asyncio.sleep(5)
        last = plan("b")
        await asyncio.sleep(5)
        assert forgotten[-1] == last
        await end(stage, run)

    play(scene())


@pytest.mark.parametrize("way", ["operator", "settings"])
def test_resuming_a_channel_lets_its_held_recipients_go_at_once(way: str) -> None:
    async def scene() -> None:
        stage = Stage()
        back = now() + 1000
        stage.open(refuse(lambda address: address == "anna" and now() < back))
        delivery = stage.plan("anna", expires_in=DAY)
        run = asyncio.create_task(stage.worker.run())
        for _ in range(101):
            stage.plan("bob", handed=True)
            await asyncio.sleep(10)
        assert stage.state(delivery)[0] == "waiting"
        if way == "operator":
            await stage.queue.resume("ops")
        else:
            stage.worker.reset(["ops"])
        await asyncio.sleep(2)
        assert stage.state(delivery)[0] == "delivered"
        await end(stage, run)

    play(scene())


@pytest.mark.parametrize("after", [0, -1, float("nan"), 0.001, None])
@pytest.mark.parametrize(
    "answer", [Suspend(reason="key"), BLOCKED, Retry(status=429, reason="slow down")]
)
def test_whatever_time_a_plugin_names_it_is_not_asked_again_and_again(
    answer: Suspend | Retry, after: float | None
) -> None:
    async def scene() -> None:
        stage = Stage(dice=lambda: 0.0)

        async def script(message: Message) -> Outcome:
            kind = type(answer)
            return kind(
                **{**{f: getattr(answer, f) for f in answer.__struct_fields__}, "after": after}
            )

        channel = stage.open(script)
        addresses: Collection[str] = "abcdefgh"
        for address in addresses:
            stage.plan(address)
        await stage.run(60)
        assert len(channel.sent) <= len(addresses) + 60 / MIN_SUSPENSION_S

    play(scene())
