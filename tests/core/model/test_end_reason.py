import pytest

from router.core.model.end_reason import classify_end
from router.core.model.unless import BY_OPERATOR, CALL_OVER


@pytest.mark.parametrize(
    ("state", "reason", "kind"),
    [
        ("dead", "attempts_exhausted", "attempts_exhausted"),
        ("dead", "may_have_arrived", "may_have_arrived"),
        ("dead", "crash_loop", "crash_loop"),
        ("dead", "404 not found (chat not found)", "rejected"),
        ("dead", "", "rejected"),
        ("expired", "no attempt left before it expires", "expired"),
        ("cancelled", "contact_gone", "contact_gone"),
        ("cancelled", "replaced: 018f-0", "replaced"),
        ("cancelled", "unless: push delivered", "unless"),
        ("cancelled", BY_OPERATOR, "operator"),
        ("cancelled", CALL_OVER, "call_over"),
        ("cancelled", "some words of tomorrow", "other"),
    ],
)
def test_an_end_has_a_class_of_reasons(state: str, reason: str, kind: str) -> None:
    assert classify_end(state, reason) == kind
