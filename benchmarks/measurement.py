"""Figures of a measurement, what is made of those of several rounds, and the budgets."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from msgspec import Struct, field

from benchmarks.load import Load

MICRO, MILLI, MIB = 1e6, 1e3, 1 << 20

Round = dict[str, float]
"""The figures of one subject in one round, by their names with the unit."""

Tell = Callable[[str], None]
"""Hears of the progress."""


class Effort(Struct, frozen=True, kw_only=True):
    """How much is measured."""

    form: str
    """What it is called."""
    rounds: int
    seconds: float
    """How long each load of the webhook lasts."""
    notifications: int
    """How many are sent from end to end in a round."""
    stock: int
    """How many stock Apprise sends in a round."""
    decisions: int
    pending: int
    """How many deliveries wait when memory is measured."""
    rows: int
    """How many notifications the long log holds, each with its payload, delivery and attempt."""
    members: int = 1000
    """How many people a group has."""
    messages: int = 10
    """How many messages it gets in a round."""
    may_install: bool = True
    """Whether what a baseline needs may be fetched."""


FULL = Effort(
    form="full",
    rounds=9,
    seconds=2,
    notifications=3000,
    stock=60,
    decisions=20_000,
    pending=100_000,
    rows=1_000_000,
)
QUICK = Effort(
    form="quick",
    rounds=3,
    seconds=1.5,
    notifications=1500,
    stock=40,
    decisions=5000,
    pending=20_000,
    rows=100_000,
)
LEAST = Effort(
    form="least",
    rounds=1,
    seconds=0.2,
    notifications=50,
    stock=2,
    decisions=50,
    pending=100,
    rows=200,
    members=20,
    messages=2,
    may_install=False,
)


class Line(Struct, frozen=True, kw_only=True):
    """A figure beside its budget, if it has one: at least that much, or at most."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def budget(self) -> str:
        """Return the budget as it is read; empty without one."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}"
        return "" if self.at_most is None else f"≤ {self.at_most:g} {self.unit}"

    @property
    def score(self) -> float | None:
        """Return how well the budget is kept: 1 and more is kept; None without a budget."""
        if self.at_least is not None:
            return self.value / self.at_least
        if self.at_most is None:
            return None
        return self.at_most / self.value if self.value else float("inf")


class Report(Struct, frozen=True, kw_only=True):
    """What one benchmark found; `notes` say what was missing."""

    name: str
    title: str
    lines: list[Line]
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that so large a share of the values does not exceed; 0 of none."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def accounts(load: Load, cpu: float, resident: int) -> Round:
    """Return the figures of a load that cost its subject so many seconds of CPU."""
    count = len(load.latencies)
    return {
        "requests/s": count / load.seconds,
        "p50 ms": percentile(load.latencies, 0.5) * MILLI,
        "p99 ms": percentile(load.latencies, 0.99) * MILLI,
        "CPU µs": cpu / count * MICRO,
        "resident MiB": resident / MIB,
        "generator CPU µs": load.cpu / count * MICRO,
        "refused": load.refused,
    }


def middle(rounds: Sequence[Round]) -> Round:
    """Return the median of each figure."""
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def ratio(subject: Sequence[Round], baseline: Sequence[Round], figure: str) -> float:
    """Return the median of the rounds' ratios: what disturbs a round disturbs both."""
    pairs = zip(subject, baseline, strict=True)
    return median(one[figure] / other[figure] for one, other in pairs)
