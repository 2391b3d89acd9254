"""Whether a test's expectations hold for what went out, and which do not."""

from collections.abc import Sequence

from msgspec import Struct

from router.core.errors import Place
from router.core.simulate.test_case import ExpectedMessage, RuleTest, SentMessage


class FailedExpectation(Struct, frozen=True, kw_only=True):
    """An expectation that does not hold: where it stands, and what is the matter."""

    place: Place
    message: str


def check_expectations(case: RuleTest, sent: Sequence[SentMessage]) -> list[FailedExpectation]:
    """Return what is not as the case expects; every expected message needs one of its own."""
    partners = _pair(case, sent)
    taken = set(partners.values())
    missing = [
        _miss(expected, [message for n, message in enumerate(sent) if n not in taken], case.at)
        for number, expected in enumerate(case.expect)
        if number not in partners
    ]
    unwanted = [
        FailedExpectation(
            place=expected.place, message=f"it went out: {describe(message, case.at)}"
        )
        for expected in case.expect_not
        for message in sent
        if expected.fits(message, case.at)
    ]
    surplus = [
        FailedExpectation(
            place=case.place, message=f"nothing else may go out: {describe(message, case.at)}"
        )
        for number, message in enumerate(sent)
        if case.exact and number not in taken and not message.by_itself
    ]
    return [*missing, *unwanted, *surplus]


def describe(sent: SentMessage, began: float) -> str:
    """Return a message in a line."""
    how = "" if sent.operation == "send" else f" ({sent.operation})"
    where = f"{sent.channel} to {sent.uid}{how}"
    return f"{sent.at - began:.0f}s {sent.rule} → {where}: {sent.content.title!r}"


def _miss(
    expected: ExpectedMessage, left: Sequence[SentMessage], began: float
) -> FailedExpectation:
    if not left:
        return FailedExpectation(place=expected.place, message="nothing (else) went out")
    candidates = [(expected.differences(one, began), one) for one in left]
    differences, nearest = min(candidates, key=lambda pair: len(pair[0]))
    message = f"{'; '.join(differences)} (nearest: {describe(nearest, began)})"
    return FailedExpectation(place=expected.place, message=message)


def _pair(case: RuleTest, sent: Sequence[SentMessage]) -> dict[int, int]:
    """Return for each expectation that can have one a message of its own (a maximum matching)."""
    fitting = [
        [number for number, one in enumerate(sent) if expected.fits(one, case.at)]
        for expected in case.expect
    ]
    owners: dict[int, int] = {}
    for expected in range(len(fitting)):
        _claim(expected, fitting, owners, set())
    return {expected: message for message, expected in owners.items()}


def _claim(
    expected: int, fitting: Sequence[Sequence[int]], owners: dict[int, int], tried: set[int]
) -> bool:
    """Give an expectation a message, moving others to their next where that helps."""
    for message in fitting[expected]:
        if message in tried:
            continue
        tried.add(message)
        if message not in owners or _claim(owners[message], fitting, owners, tried):
            owners[message] = expected
            return True
    return False
