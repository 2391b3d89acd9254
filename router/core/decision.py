"""What the rules make of a notification: the one pure function behind everything."""

from typing import Literal

from msgspec import Struct

from router.core.facts import Effects, Facts, OnceKey
from router.core.message import Priority, Privacy
from router.core.notification import Notification
from router.core.ruleset import Enrichment, Ruleset


class Planned(Struct, frozen=True, kw_only=True):
    """A delivery as decided, its words not yet rendered; times are epoch seconds.

    `id` is the notification's id, a dash and the ordinal. `enrichments` stand in the order
    they apply: the later wins. A suppressed one says why in `reason` (`no_contact`,
    `opted_out`, `muted`, `once`, `duplicate_step`) and is kept to be seen.
    """

    id: str
    rule: str
    step: int
    channel: str
    contact: str = ""
    address: str = ""
    state: Literal["waiting", "suppressed"] = "waiting"
    reason: str = ""
    due_at: float
    expires_at: float
    urgent: bool = False
    priority: Priority = "normal"
    privacy: Privacy = "none"
    collapse: str = ""
    once: OnceKey | None = None
    enrichments: tuple[Enrichment, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """What becomes of one notification, and why.

    `matched` names the rules that matched, in file order. `reason` says why nothing is sent:
    `own_act`, `no_match`, `dropped: RULE`, or empty. `mismatches` counts tests that met a value
    of the wrong type.
    """

    version: str
    matched: tuple[str, ...] = ()
    deliveries: tuple[Planned, ...] = ()
    effects: Effects = Effects()
    reason: str = ""
    mismatches: int = 0


def decide(notification: Notification, ruleset: Ruleset, facts: Facts, now: float) -> Decision:
    """Return what is to be sent, to whom, over which channels, and when.

    Pure: the same arguments give the same decision. The caller folds `effects` into the facts
    before the next decision of a batch.
    """
    raise NotImplementedError
