"""What a gate lets through."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channel import Settings
from router.core.model.outcome import Delivered, Retry
from router.worker.channel_gate import ChannelGate, TokenBucket, parse_rate, reserved_for_urgent


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def gate(clock: Clock, *, concurrency: int = 32, rate: str = "") -> ChannelGate:
    made = ChannelGate(clock=clock)
    made.apply_settings(Settings(concurrency=concurrency, rate=rate))
    return made


@pytest.mark.parametrize(
    ("rate", "count", "seconds"),
    [("10/s", 10, 1.0), ("100/m", 100, 60.0), ("1000/h", 1000, 3600.0)],
)
def test_a_rate_is_a_count_and_seconds(rate: str, count: int, seconds: float) -> None:
    assert parse_rate(rate) == (count, seconds)


def test_no_rate_is_no_limit() -> None:
    assert parse_rate("") is None


@pytest.mark.parametrize(
    ("slots", "kept"), [(1, 0), (2, 1), (3, 1), (4, 1), (7, 1), (8, 2), (32, 8), (1000, 250)]
)
def test_a_quarter_of_the_slots_is_kept_for_urgent_deliveries(slots: int, kept: int) -> None:
    channel = gate(Clock(), concurrency=slots)

    ordinary = 0
    while channel.can_send(urgent=False):
        channel.acquire(urgent=False)
        ordinary += 1
    urgent = 0
    while channel.can_send(urgent=True):
        channel.acquire(urgent=True)
        urgent += 1

    assert reserved_for_urgent(slots) == kept
    assert (ordinary, urgent) == (slots - kept, kept)


def test_urgent_deliveries_may_take_every_slot() -> None:
    channel = gate(Clock(), concurrency=4)
    for _ in range(4):
        assert channel.can_send(urgent=True)
        channel.acquire(urgent=True)

    assert not channel.can_send(urgent=True)
    channel.release(urgent=True)
    assert channel.can_send(urgent=False)


@given(
    count=st.integers(1, 2000),
    seconds=st.sampled_from([1.0, 60.0, 3600.0]),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=60),
    greed=st.integers(1, 300),
)
def test_no_window_holds_more_sends_than_the_rate(
    count: int, seconds: float, pauses: list[float], greed: int
) -> None:
    start = now = 1_800_000_000.0
    bucket = TokenBucket(count, seconds, now=now)
    taken: list[float] = []
    for pause in pauses:
        now += pause * seconds / 4
        for _ in range(greed):
            if wait := bucket.wait(now):
                now += wait
            if bucket.wait(now) == 0:
                bucket.take(now)
                taken.append(now - start)

    for first, time in enumerate(taken):
        beyond = first + count
        if beyond < len(taken):
            assert taken[beyond] - time > seconds * (1 - 1e-4)


def test_a_rate_is_nearly_used_up_under_load() -> None:
    now = 0.0
    bucket = TokenBucket(100, 60.0, now=now)
    sent = 0
    while now < 600:
        now += bucket.wait(now)
        bucket.take(now)
        sent += 1

    assert 900 <= sent <= 1000


def test_a_clock_that_is_set_back_neither_fills_nor_blocks_for_long() -> None:
    bucket = TokenBucket(10, 1.0, now=1000.0)
    bucket.take(1000.0)

    assert bucket.wait(0.0) == pytest.approx(0.1)
    assert bucket.wait(0.1) == 0


def test_the_latest_end_of_all_causes_counts() -> None:
    clock = Clock()
    channel = gate(clock)
    channel.hold("suspended", clock.now + 10)
    channel.hold("paused", clock.now + 60)
    channel.hold("suspended", clock.now + 5)

    clock.now += 9
    assert channel.is_held()
    clock.now += 2
    assert channel.is_held()
    clock.now += 50
    assert not channel.is_held()


def test_after_a_suspension_one_probe_goes_and_the_rest_follow_its_success() -> None:
    clock = Clock()
    channel = gate(clock)
    channel.hold("suspended", clock.now + 10)
    assert not channel.can_send(urgent=True)

    clock.now += 10
    channel.acquire(urgent=False)
    assert not channel.can_send(urgent=True)
    channel.release(urgent=False)
    assert channel.can_send(urgent=False)

    channel.acquire(urgent=False)
    channel.record_outcome(Delivered(), "", began=clock.now, dice=0.5)
    channel.release(urgent=False)
    assert channel.can_send(urgent=False)


def test_a_suspension_that_an_operator_lifts_needs_no_probe() -> None:
    clock = Clock()
    channel = gate(clock)
    channel.hold("suspended", clock.now + 600)

    channel.replace_holds({}, {})

    channel.acquire(urgent=False)
    assert channel.can_send(urgent=False)


def test_new_settings_count_at_once() -> None:
    clock = Clock()
    channel = gate(clock, concurrency=1)
    channel.acquire(urgent=False)
    assert not channel.can_send(urgent=False)

    channel.apply_settings(Settings(concurrency=8, rate="1/s"))
    assert channel.can_send(urgent=False)
    channel.acquire(urgent=False)
    assert not channel.can_send(urgent=True)
    assert channel.wait() == pytest.approx(1.0)


def test_of_a_host_one_is_probed_while_older_sends_come_back() -> None:
    clock = Clock()
    channel = gate(clock)
    busy = Retry(reason="busy")
    for _ in range(5):
        assert channel.acquire(urgent=False, host="h") == ""
    for _ in range(5):
        channel.record_outcome(busy, "h", began=clock.now, dice=0.5)
    assert channel.host_wait_s("h") == 3.75
    assert channel.host_wait_s("other") == 0

    clock.now += 3.75
    assert channel.host_wait_s("h") == 0
    probed = channel.acquire(urgent=False, host="h")
    assert probed == "h"
    channel.release(urgent=False)
    assert channel.host_wait_s("h") > 0
    channel.record_outcome(Delivered(), "h", began=clock.now, dice=0.5)
    channel.release(urgent=False, probed=probed)
    assert channel.host_wait_s("h") == 0
    assert channel.acquire(urgent=False, host="h") == ""
