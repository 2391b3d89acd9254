"""Random plans for a worker, and the laws that hold whatever becomes of them."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from router.core.model.delivery import Attempt, DeliveryState
from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.model.retry import THROTTLED
from router.worker.channel_gate import reserved_for_urgent
from tests.worker.harness import Collapsing, Harness, Scripted

ENDS = {"delivered", "dead", "expired", "cancelled"}
HANG, RAISE = "hang", "raise"

TRIES: st.SearchStrategy[Outcome | str] = st.one_of(
    st.just(Delivered()),
    st.builds(Retry, reason=st.just("busy"), after=st.sampled_from([None, 0.0, 20.0])),
    st.builds(Rejected, reason=st.just("no"), forget_contact=st.booleans()),
    st.just(Unknown(reason="no answer")),
    st.builds(Suspend, reason=st.just("key"), after=st.sampled_from([None, 1.0])),
    st.sampled_from([HANG, RAISE]),
)


@dataclass(frozen=True)
class Planned:
    """One message: to whom, how urgent, how it is handed over, when, and how it fares."""

    address: str
    urgent: bool
    handed: bool
    pause: float
    takes: float
    tries: tuple[Outcome | str, ...]


PLANS = st.lists(
    st.builds(
        Planned,
        address=st.sampled_from("abcde"),
        urgent=st.booleans(),
        handed=st.booleans(),
        pause=st.sampled_from([0.0, 0.0, 0.01, 0.3, 5.0]),
        takes=st.sampled_from([0.0, 0.02, 3.0]),
        tries=st.lists(TRIES, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=25,
)


@dataclass
class Fates:
    """The script of a channel that plays what was planned for each delivery."""

    plans: dict[str, Planned] = field(default_factory=dict)
    made: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def play(self, message: Message) -> Outcome:
        plan = self.plans[message.delivery]
        number = self.made[message.delivery]
        self.made[message.delivery] += 1
        await asyncio.sleep(plan.takes)
        result = plan.tries[number] if number < len(plan.tries) else Delivered()
        if result == HANG:
            await asyncio.sleep(1000)
        if isinstance(result, str):
            raise ConnectionResetError(result)
        return result


def check_sends(channel: Scripted, plans: dict[str, Planned], slots: int) -> None:
    """Check slots, lanes and the order of first tries; `plans` stand in order of acceptance."""
    assert channel.most_of_a_lane == 1
    assert channel.most_in_flight <= slots
    assert channel.most_ordinary <= slots - reserved_for_urgent(slots)
    tried = {name: place for place, name in enumerate(dict.fromkeys(channel.order))}
    lines: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
    for name, plan in plans.items():
        if name in tried:
            lines[plan.address, plan.urgent].append(name)
    for line in lines.values():
        assert sorted(line, key=tried.__getitem__) == line


def check_end(name: str, state: DeliveryState, tries: Sequence[Attempt], channel: Scripted) -> None:
    """Check that a delivery ended, and that its attempts are those that were made."""
    assert state in ENDS, (name, state)
    assert len(tries) == channel.order.count(name)
    counted = [
        attempt.number
        for attempt in tries
        if attempt.outcome != "suspend" and attempt.status != THROTTLED
    ]
    assert counted == list(range(1, len(counted) + 1))


async def act(plans: list[Planned], slots: int, kind: type[Scripted] = Collapsing) -> None:
    """Run the plans until all is over, and check the laws."""
    harness, fates = Harness(dice=lambda: 0.5), Fates()
    channel = harness.open(fates.play, kind=kind, concurrency=slots)
    run = asyncio.create_task(harness.worker.run())
    await asyncio.sleep(0.01)
    for plan in plans:
        name = harness.plan(plan.address, urgent=plan.urgent, handed=plan.handed)
        fates.plans[name] = plan
        await asyncio.sleep(plan.pause)
    for _ in range(4000):
        if all(row.state in ENDS for row in harness.queue.deliveries.values()):
            break
        await asyncio.sleep(1)
    assert not run.done()
    await harness.worker.stop(0)
    await run

    check_sends(channel, fates.plans, slots)
    for name in fates.plans:
        check_end(name, harness.queue.deliveries[name].state, harness.tries(name), channel)
