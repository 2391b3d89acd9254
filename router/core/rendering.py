"""The words of a planned delivery: templates over the payload, fallbacks, privacy."""

from msgspec import Struct

from router.core.decision import Planned
from router.core.facts import Recipient
from router.core.message import Content
from router.core.notification import Notification
from router.core.ruleset import Ruleset


class Rendered(Struct, frozen=True, kw_only=True):
    """A delivery's words; `faults` counts the templates that failed and were left out."""

    content: Content
    faults: int = 0


def render(
    planned: Planned,
    notification: Notification,
    recipient: Recipient,
    ruleset: Ruleset,
    now: float,
) -> Rendered:
    """Return the words of a planned delivery; never raises for a template's fault."""
    raise NotImplementedError
