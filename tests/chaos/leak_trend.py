"""Whether a figure that is sampled over hours stays where it is."""

import statistics
from collections.abc import Sequence


def quarters(samples: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the second quarter and of the last one."""
    quarter = len(samples) // 4
    assert quarter, "too few samples to tell"
    return (
        statistics.median(samples[quarter : 2 * quarter]),
        statistics.median(samples[-quarter:]),
    )


def is_flat(samples: Sequence[float], *, most: float = 0.05, dust: float = 0) -> bool:
    """Return whether the last quarter lies at most so much above the second one.

    `most` is a share; `dust` is how much more does not count, as of a small number of things.
    """
    before, after = quarters(samples)
    return after <= before * (1 + most) + dust
