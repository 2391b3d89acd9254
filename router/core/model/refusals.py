"""Whether a refusal is about one recipient or about the whole channel, and how long it holds.

A provider that answers 401 or 403 without another word may refuse the channel's credential, or one
recipient who has blocked the sender. The answers to others tell the two apart.
"""

from msgspec import Struct
from msgspec.structs import replace

MIN_DISTINCT_RECIPIENTS = 3
"""So many recipients refused, with nobody served in between, suspend the channel."""

GONE_RECIPIENTS = 3
"""So many recipients have contacts forgotten, with nobody served in between, and no more."""

FIRST_HOLD_S = 60.0
"""Seconds for which a recipient is held after its first refusal; each one more doubles them."""

MAX_HOLD_S = 3600.0
"""Seconds for which a recipient is held at most, while the provider serves others."""

MAX_HOLD_UNSERVED_S = 300.0
"""The same while it serves nobody: then the refusal may be the channel's after all."""


class RefusalStreak(Struct, frozen=True, kw_only=True):
    """The recipients refused since a provider last served anybody.

    `gone` are the recipients of whom it called an address dead meanwhile. `serves` says whether
    it has served anybody since the channel was opened or suspended last.
    """

    recipients: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    serves: bool = False

    @property
    def is_channel(self) -> bool:
        """Return whether the channel is to blame: so many recipients are refused one by one."""
        return len(self.recipients) >= MIN_DISTINCT_RECIPIENTS


UNTRIED = RefusalStreak()
SERVING = RefusalStreak(serves=True)


def add_refusal(streak: RefusalStreak, recipient: str, *, refusals: int) -> RefusalStreak:
    """Return the streak after a refusal; `refusals` is how many the recipient had before.

    A recipient who was refused before, and not served since, says nothing new of the channel.
    """
    if refusals or streak.is_channel:
        return streak
    recipients = streak.recipients | {recipient}
    after = replace(streak, recipients=recipients)
    return replace(after, serves=False) if after.is_channel else after


def add_gone(streak: RefusalStreak, recipient: str) -> RefusalStreak | None:
    """Return the streak after an address was called dead, None where that is not to be believed.

    A provider that is asked with the settings of another app calls every address dead.
    """
    if recipient not in streak.gone and len(streak.gone) >= GONE_RECIPIENTS:
        return None
    return replace(streak, gone=streak.gone | {recipient})


def hold_time(refusals: int, *, serves: bool) -> float:
    """Return for how many seconds a recipient is held that was refused so often before."""
    longest = MAX_HOLD_S if serves else MAX_HOLD_UNSERVED_S
    return min(longest, FIRST_HOLD_S * 2.0 ** min(refusals, 16))
