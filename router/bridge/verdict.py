"""What the hops of a send mean."""

from collections.abc import Mapping, Sequence
from typing import Literal

from router.bridge.hop import Hop
from router.core.outcome import Outcome

Reading = Literal["delivered", "retry", "rejected", "gone", "unknown", "suspend"]
"""How an answer is to be read; `gone` is `rejected`, and the address is dead for every message."""

Answers = Mapping[int | str, Reading]
"""A provider's statuses and error codes with what they mean; a code goes before a status."""


def conclude(
    reading: Reading,
    *,
    status: int | None = None,
    reason: str = "",
    after: float | None = None,
    handle: str = "",
) -> Outcome:
    """Return the outcome of a reading."""
    raise NotImplementedError


def judge(hops: Sequence[Hop], *, answers: Answers, now: float) -> Outcome:
    """Return what the last hop means, by the provider's table and else as HTTP has it."""
    raise NotImplementedError
