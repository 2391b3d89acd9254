"""A hundred recipients with ten messages each, whatever goes wrong."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from tests.worker.sending_laws import HANG, RAISE, Planned, act
from tests.worker.virtual_time import run_in_virtual_time

pytestmark = pytest.mark.slow

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


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), faulty=st.sampled_from([0.05, 0.2, 0.4]))
def test_a_hundred_recipients_get_ten_messages_each_in_order(seed: int, faulty: float) -> None:
    run_in_virtual_time(act(draw(random.Random(seed), 100, 10, faulty), SLOTS))  # noqa: S311 - no secret
