"""A leak is told from noise."""

import random

from tests.chaos.leak_trend import is_flat


def test_noise_is_flat_and_so_is_what_grows_only_at_first() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    noisy = [100 + dice.uniform(-10, 10) for _ in range(200)]
    assert is_flat(noisy)
    assert is_flat([*range(50), *noisy])
    assert is_flat([*noisy[:190], *[900.0] * 10])


def test_a_leak_is_not_flat() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    assert not is_flat([100 + n * 0.15 + dice.uniform(-10, 10) for n in range(200)])
    assert not is_flat([100.0] * 100 + [120.0] * 100)
    assert not is_flat([8.0] * 100 + [12.0] * 100, dust=2)
    assert is_flat([8.0] * 100 + [10.0] * 100, dust=2)
