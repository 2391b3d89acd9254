"""Whom messages may go to: a guard for staging, where real people must get nothing."""

import re
from collections.abc import Sequence

GUARDED = "guarded"
"""Why a delivery is suppressed whose recipient the guard does not permit."""


class RecipientGuard:
    """Permits the recipients whose uid matches one of some patterns; without any, everybody.

    In a pattern a `*` stands for any characters, also none; all else stands for itself.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """Compile the patterns."""
        self.patterns = tuple(patterns)
        alternatives = (re.escape(pattern).replace(r"\*", ".*") for pattern in self.patterns)
        self._permitted = re.compile("|".join(alternatives), re.DOTALL) if self.patterns else None

    def permits(self, uid: str) -> bool:
        """Return whether messages may go to a recipient."""
        return self._permitted is None or self._permitted.fullmatch(uid) is not None


NO_GUARD = RecipientGuard()
"""Permits everybody."""
