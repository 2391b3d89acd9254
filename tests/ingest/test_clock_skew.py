"""The clock here against CometChat's: what is believed, and what becomes of rings by it."""

from collections.abc import Iterable, Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.decide.timing import RING_S
from router.core.model.notification import DAY_S, Notification
from router.ingest.clock_skew import MIN_AGREEING_SLOTS, SLOT_S, SLOTS, TOLERANCE_S, ClockSkew
from tests.core.notifications import NOON, call
from tests.core.rulesets import decided, rulebook, went

HOUR = 3600.0
BOOT = NOON - 1_000_000.0
"""When the steady clock was at zero."""
RULES = rulebook("rules: [{name: ring, when: {type: call}, send: [app]}]")
RING_OF_BOB = call()

delays = st.floats(0.3, 0.3 + TOLERANCE_S - 0.1)
"""What a payload takes from CometChat to here."""
gaps = st.floats(SLOT_S, 10 * SLOT_S)


class Machine:
    """A machine with a wall clock that may be wrong, and a router on it that gets payloads."""

    def __init__(self, wrong: float = 0.0) -> None:
        self.time = NOON
        self.wrong = wrong
        self.skew = ClockSkew()

    @property
    def clocks(self) -> tuple[float, float]:
        return self.time + self.wrong, self.time - BOOT

    def get(self, age: float) -> Notification:
        """Get a ring that was sent `age` seconds ago, as the router does."""
        now, steady = self.clocks
        ring = replace(
            RING_OF_BOB,
            sent_at=self.time - age,
            accepted_at=now,
            skew=self.skew.believed(now, steady),
        )
        self.skew.observe(self.time - age, now, steady)
        return ring

    def rings(self, age: float) -> bool:
        """Return whether a ring of that age goes out."""
        notification = self.get(age)
        return bool(went(*decided(notification, RULES, now=self.clocks[0]).deliveries))

    def settle(self) -> None:
        """Get what it takes until the skew is believed."""
        for _ in range(MIN_AGREEING_SLOTS):
            self.get(1.1)
            self.time += SLOT_S


def test_a_right_clock_is_trusted_from_the_first_payload() -> None:
    assert Machine().rings(1.1)
    assert not Machine().rings(RING_S + 1)


def test_a_clock_an_hour_ahead_lets_rings_out_and_stale_ones_not() -> None:
    machine = Machine(wrong=HOUR)
    machine.settle()
    assert machine.rings(1.1)
    assert not machine.rings(RING_S + 2)
    assert not machine.rings(HOUR)


def test_a_clock_an_hour_behind_lets_rings_out_and_stale_ones_not() -> None:
    machine = Machine(wrong=-HOUR)
    assert machine.rings(1.1)
    machine.settle()
    assert machine.rings(1.1)
    assert not machine.rings(RING_S + 2)
    assert not machine.rings(HOUR)


@given(
    st.floats(-HOUR * 10, HOUR * 10),
    st.lists(st.tuples(gaps, delays, st.floats(-HOUR * 10, HOUR * 10)), min_size=1, max_size=40),
)
def test_no_jump_of_the_clock_here_makes_a_fresh_ring_old_or_a_stale_one_new(
    wrong: float, events: Sequence[tuple[float, float, float]]
) -> None:
    machine = Machine(wrong)
    machine.settle()
    for gap, delay, jump in events:
        machine.time += gap
        machine.wrong = jump
        age = machine.get(delay).age(machine.clocks[0])
        assert age is not None
        assert abs(age) <= TOLERANCE_S
        assert machine.rings(delay)
        assert not machine.rings(delay + RING_S + TOLERANCE_S)


@given(st.lists(st.tuples(gaps, delays), min_size=MIN_AGREEING_SLOTS, max_size=40))
def test_a_jump_of_the_clock_there_is_followed_within_the_slots_that_are_remembered(
    events: Sequence[tuple[float, float]],
) -> None:
    machine = Machine()
    machine.settle()
    back = HOUR  # set back, its clock makes every ring look old; set forward, none
    for gap, delay in events:
        machine.time += gap
        machine.get(delay + back)
    for _ in range(SLOTS):
        machine.time += SLOT_S
        machine.skew.observe(machine.time - 1.1 - back, *machine.clocks)
    assert machine.rings(1.1 + back)


@given(st.lists(st.floats(0, 2 * SLOT_S - 0.1), max_size=30), delays, st.floats(-HOUR, HOUR))
def test_a_burst_is_not_believed(times: Sequence[float], delay: float, off: float) -> None:
    machine = Machine(off)
    start = machine.time - machine.clocks[1] % SLOT_S
    for time in sorted(times):
        machine.time = start + time
        machine.get(delay)
    assert machine.skew.believed(*machine.clocks) == 0.0


@given(st.floats(1.5, 20.0), st.floats(60, HOUR), st.floats(0.1, 2 * SLOT_S))
def test_a_backlog_that_is_worked_off_does_not_pass_for_a_wrong_clock(
    speed: float, age: float, gap: float
) -> None:
    machine = Machine()
    for _ in range(50):
        if age <= RING_S:
            break
        assert not machine.rings(age)
        machine.time += gap
        age -= gap * (speed - 1)


@given(
    st.lists(st.tuples(gaps, delays, st.floats(-DAY_S, DAY_S)), max_size=40),
    st.lists(
        st.floats(5, DAY_S / 2), max_size=MIN_AGREEING_SLOTS - 1, unique_by=lambda at: at // 10
    ),
)
def test_late_payloads_and_a_few_from_the_future_change_nothing(
    events: Sequence[tuple[float, float, float]], future: Sequence[float]
) -> None:
    machine = Machine()
    machine.settle()
    before = machine.skew.believed(*machine.clocks)
    ahead = iter(future)
    for gap, delay, off in events:
        machine.time += gap
        machine.get(delay + abs(off))
        if (next_ := next(ahead, None)) is not None:
            machine.get(-next_)
    assert machine.skew.believed(*machine.clocks) <= before + 1e-3
    assert machine.rings(1.1)


def test_before_anything_is_believed_the_least_is_measured() -> None:
    machine = Machine()
    assert machine.skew.measured(*machine.clocks) == 0.0
    machine.get(80)
    machine.time += SLOT_S
    machine.get(60)
    machine.time += SLOT_S
    machine.get(70)
    assert round(machine.skew.measured(*machine.clocks)) == 60
    assert machine.skew.believed(*machine.clocks) == 0.0


def test_a_time_a_day_off_is_no_evidence() -> None:
    machine = Machine()
    for age in (DAY_S + 1, -DAY_S - 1, NOON):
        machine.get(age)
        machine.time += SLOT_S
    assert machine.skew.measured(*machine.clocks) == 0.0


def test_what_is_a_day_old_is_forgotten_and_so_is_what_is_too_much() -> None:
    machine = Machine()
    machine.settle()
    machine.time += DAY_S
    machine.get(30)
    assert round(machine.skew.measured(*machine.clocks)) == 30
    assert len(machine.skew._slots) == 1
    for _ in range(SLOTS + 5):
        machine.time += SLOT_S
        machine.get(1.0)
    assert len(machine.skew._slots) == SLOTS


@given(st.lists(st.tuples(st.floats(0, 3 * SLOT_S), st.floats(-60, 60)), max_size=60))
def test_what_is_believed_is_the_least_that_enough_slots_share(
    events: Sequence[tuple[float, float]],
) -> None:
    skew, steady, slots = ClockSkew(), 1000.0, dict[int, float]()
    for gap, lag in events:
        steady += gap
        skew.observe(NOON - lag, NOON, steady)
        number, value = int(steady // SLOT_S), steady - (NOON - lag)
        slots[number] = min(value, slots.get(number, value))
    shared = list(share(slots.values()))
    assert (skew.believed(NOON, steady) != 0.0) == bool(shared)
    expected = min(shared) if shared else min(slots.values(), default=steady - NOON)
    assert abs(skew.measured(NOON, steady) - (expected + NOON - steady)) < 1e-6


def share(lags: Iterable[float]) -> Iterator[float]:
    """Yield the lags that so many share, themselves included."""
    all_ = list(lags)
    for least in all_:
        if sum(0 <= lag - least <= TOLERANCE_S for lag in all_) >= MIN_AGREEING_SLOTS:
            yield least
