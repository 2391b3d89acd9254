"""An explanation of an edit or a deletion supposes that its message was shown."""

import pytest
from msgspec.structs import replace

from router.core.model.notification import Notification
from router.core.simulate.assume_shown import assume_original_delivered
from router.core.simulate.explain import explain
from tests.core.decide.test_retraction import DELETE, EDIT
from tests.core.decide.test_superseding import able
from tests.core.notifications import NOON, call, push
from tests.core.rulesets import ANN, rulebook, world

RULES = "rules: [{name: chat, when: {kind: [message, edit]}, send: [room, mail, app]}]"


def test_what_is_no_change_supposes_nothing() -> None:
    facts = world(ANN)
    for notification in (push(), call("ended")):
        assert assume_original_delivered(notification, rulebook(RULES), facts, NOON) is facts


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        (EDIT, [("room", "update"), ("mail", "send"), ("app", "send"), ("app", "send")]),
        (DELETE, [("room", "retract"), ("app", "retract"), ("app", "retract")]),
    ],
)
def test_each_channel_does_what_it_can(
    notification: Notification, expected: list[tuple[str, str]]
) -> None:
    ruleset = rulebook(RULES)
    ruleset = replace(ruleset, channels=ruleset.channels | able(RULES))
    facts = assume_original_delivered(notification, ruleset, world(ANN), NOON)
    trace = explain(notification, ruleset, facts, NOON)
    assert [(each.channel, each.operation) for each in trace.deliveries] == expected
    assert [each.reason for each in trace.deliveries if each.state == "suppressed"] == [
        "cannot_change"
    ] * (notification is EDIT)


def test_what_keeps_its_messages_is_supposed_to_keep_them() -> None:
    ruleset = rulebook("rules: [{name: chat, send: [{channel: app, retract: false}]}]")
    facts = assume_original_delivered(DELETE, ruleset, world(ANN), NOON)
    assert [each.operation for each in explain(DELETE, ruleset, facts, NOON).deliveries] == [
        "send",
        "send",
    ]


def test_what_was_kept_back_is_not_supposed_to_have_been_shown() -> None:
    facts = world(replace(ANN, opt_outs=frozenset({"app"})))
    supposed = assume_original_delivered(DELETE, rulebook(RULES), facts, NOON)
    (earlier,) = supposed.earlier.values()
    assert {each.channel for each in earlier.values()} == {"room", "mail"}
