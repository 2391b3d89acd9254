"""A hundred recipients with ten messages each, whatever goes wrong."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from tests.worker.laws import ENDS, HANG, RAISE, Fates, Planned, check_end, check_sends
from tests.worker.stage import Collapsing, Stage
from tests.worker.virtual import play

FAULTS: tuple[Outcome | str, ...] = (
    *(Retry(status=503, reason="busy"), Retry(status=429, reason="slow down", after=2.0)),
    *(
        Unknown(reason="no answer"),
        Rejected(status=400, reason="no"),
        Suspend(reason="key", after=1.0),
    ),
    *(HANG, RAISE),
)
SLOTS = 8


def draw(dice: random.Random, recipients: int, messages: int, faulty: float) -> list[Planned]:
    """Return messages to every recipient, in a random order of acceptance, some of them faulty."""
    addresses = [f"a{number}" for number in range(recipients)] * messages
    dice.shuffle(addresses)
    return [
        Planned(
            address=address,
            urgent=dice.random() < 0.05,
            handed=dice.random() < 0.5,
            pause=dice.choice((0.0, 0.0, 0.0, 0.01, 0.5)),
            takes=dice.choice((0.0, 0.02, 0.3)),
            tries=(dice.choice(FAULTS),) if dice.random() < faulty else (Delivered(),),
        )
        for address in addresses
    ]


async def act(plans: list[Planned]) -> None:
    stage, fates = Stage(dice=lambda: 0.5), Fates()
    channel = stage.open(fates.play, kind=Collapsing, concurrency=SLOTS)
    run = asyncio.create_task(stage.worker.run())
    for plan in plans:
        name = stage.plan(plan.address, urgent=plan.urgent, handed=plan.handed)
        fates.plans[name] = plan
        await asyncio.sleep(plan.pause)
    for _ in range(400):
        if all(row.state in ENDS for row in stage.queue.deliveries.values()):
            break
        await asyncio.sleep(10)
    await stage.worker.stop(0)
    await run

    check_sends(channel, fates.plans, SLOTS)
    for name in fates.plans:
        check_end(name, stage.queue.deliveries[name].state, stage.tries(name), channel)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), faulty=st.sampled_from([0.05, 0.2, 0.4]))
def test_a_hundred_recipients_get_ten_messages_each_in_order(seed: int, faulty: float) -> None:
    play(act(draw(random.Random(seed), 100, 10, faulty)))  # noqa: S311 - no secret
