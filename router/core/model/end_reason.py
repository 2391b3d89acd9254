"""The classes of the reasons for which deliveries end: few enough to count by."""

from typing import Literal, get_args

EndReason = Literal[
    "attempts_exhausted",
    "call_over",
    "cannot_change",
    "contact_gone",
    "crash_loop",
    "deleted",
    "expired",
    "may_have_arrived",
    "not_shown",
    "operator",
    "rejected",
    "replaced",
    "unless",
    "other",
]
"""`rejected` stands for whatever words a provider or a channel gave; `other` for the rest."""

_KNOWN: dict[str, EndReason] = {reason: reason for reason in get_args(EndReason)}


def classify_end(state: str, reason: str) -> EndReason:
    """Return the class of the reason for which a delivery ended in a state.

    What stands behind a colon names another delivery, or a condition of the rules.
    """
    if state == "expired":
        return "expired"
    end_reason = _KNOWN.get(reason.partition(":")[0], "other")
    return "rejected" if state == "dead" and end_reason == "other" else end_reason
