"""What `classify` makes of payloads."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.conditions.condition import ConditionSubject
from router.core.conditions.hours import Calendar, Hours
from router.core.conditions.payload_shapes import locate, number_shapes
from router.core.decide.decide import decide
from router.core.model.notification import (
    Notification,
    apply_classification,
    is_ring,
    reset_classification,
)
from router.core.model.payload import Json
from router.core.rules.classify import classify, examine
from router.core.rules.ruleset import Ruleset
from router.core.simulate.explain import Trace, explain
from tests.core.condition_subjects import payloads
from tests.core.loading.test_load import load_good
from tests.core.notifications import NOON, call, digest, push
from tests.core.rulesets import rulebook, went, world

RULES = "rules: [{name: all, send: [mail]}]\n"


def meeting(**data: Json) -> Notification:
    """Return a group call as CometChat announces it: a custom message."""
    custom: Json = {"callType": "video", "sessionId": "s-7", **data}
    message: Json = {"category": "custom", "type": "meeting", "data": {"customData": custom}}
    return push("ann", receiverType="group", receiver="room", message=message)


def saying(says: str, when: str = "{type: chat}") -> Ruleset:
    return rulebook(f"classify: [{{when: {when}, as: {says}}}]\n{RULES}")


def test_a_group_call_announced_by_a_custom_message_is_a_call_that_rings() -> None:
    ruleset, told = load_good("classify"), meeting()
    assert (told.kind, is_ring(told)) == ("message", False)
    found = classify(told, ruleset)
    assert (found.kind, found.guessed, is_ring(found)) == ("call", False, True)
    assert found.details == told.details | {
        "type": "call",
        "callAction": "initiated",
        "callType": "video",
        "sessionId": "s-7",
    }
    assert (found.id, found.key, found.event) == (told.id, told.key, told.event)
    assert found.data == told.data, "the payload itself is as it came"


def test_the_rules_see_what_it_was_classified_as() -> None:
    ruleset = rulebook("""
classify:
  - when: {message.type: meeting}
    as: {kind: call, callAction: initiated, sessionId: "{{ message.data.customData.sessionId }}"}
rules:
  - {name: ring, when: {type: call, callAction: initiated, receiverType: group}, send: [room]}
  - {name: rest, when: {kind: message}, send: [text]}
""")
    found = classify(meeting(), ruleset)
    (planned,) = decide(found, ruleset, world(), NOON).deliveries
    assert went(planned) == [("ring", "room", "")]
    assert (planned.urgent, planned.priority, planned.expires_at) == (True, "high", NOON + 45)
    assert planned.collapse == "call:app:s-7"


def test_what_comes_out_empty_is_not_said() -> None:
    found = classify(meeting(callType=None, sessionId=None, sessionID="s-8"), load_good("classify"))
    assert found.details["sessionId"] == "s-8"
    assert "callType" not in found.details


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        ('{kind: "{{ custom.what }}"}', 'unknown value "phone" for kind'),
        ('{kind: "{{ custom.none }}"}', 'unknown value "" for kind'),
        ('{kind: call, callAction: "{{ custom.what }}"}', 'unknown value "phone" for callAction'),
        ("{kind: \"{{ 'call' }}\", type: chat}", 'type "chat" does not fit kind "call"'),
        ("{kind: message, type: \"{{ 'call' }}\"}", 'type "call" does not fit kind "message"'),
        ('{kind: "{{ 1 | round(custom.what) }}"}', ""),
    ],
)
def test_an_entry_that_cannot_be_used_leaves_the_payload_as_it_tells(says: str, fault: str) -> None:
    told = push(custom={"what": "phone"})
    found = examine(told, saying(says))
    assert found.notification == told
    assert found.by is not None
    assert found.fault.startswith(f"{found.by.place}: ")
    assert fault in found.fault


def test_the_first_entry_that_holds_counts_even_if_it_cannot_be_used() -> None:
    ruleset = rulebook(f"""
classify:
  - {{when: {{type: call}}, as: {{kind: message}}}}
  - {{when: {{custom.a: {{exists: true}}}}, as: {{kind: "{{{{ custom.a }}}}"}}}}
  - {{when: {{type: chat}}, as: {{kind: reaction}}}}
{RULES}""")
    assert classify(push(custom={"a": "edit"}), ruleset).kind == "edit"
    assert classify(push(custom={"a": "x"}), ruleset).kind == "message"
    assert classify(push(), ruleset).kind == "reaction"


def test_what_is_no_call_any_more_loses_the_words_of_one() -> None:
    found = classify(call(callType="audio"), saying("{kind: message}", "{type: call}"))
    assert found.kind == "message"
    assert found.details["type"] == "chat"
    assert not found.details.keys() & {"callAction", "callType", "sessionId"}


def test_words_of_a_call_are_for_calls_whatever_a_template_makes_of_the_kind() -> None:
    says = '{kind: "{{ custom.kind }}", callAction: ended, sessionId: s-1}'
    chat = classify(push(custom={"kind": "edit"}, type=None), saying(says, "{uid: ann}"))
    assert chat.kind == "edit"
    assert not chat.details.keys() & {"type", "callAction", "callType", "sessionId"}
    assert classify(push(custom={"kind": "call"}), saying(says)).details["callAction"] == "ended"


def test_digests_stay_digests() -> None:
    told = digest()
    assert classify(told, saying("{kind: message}", "{feed: email}")) is told


def test_without_entries_nothing_is_changed() -> None:
    told = push()
    assert classify(told, rulebook(RULES)) is told


def test_age_is_that_at_its_acceptance_so_that_nothing_changes_with_time() -> None:
    ruleset = saying("{kind: edit}", "{age: {gt: 1m}}")
    assert classify(push(), ruleset).kind == "message"
    assert classify(replace(push(), accepted_at=NOON + 61), ruleset).kind == "edit"


def test_tests_that_meet_a_wrong_type_are_noted() -> None:
    found = examine(
        push(unreadMessageCount=["many"]), saying("{kind: edit}", "{unreadMessageCount: 1}")
    )
    assert found.mismatches == ("unreadMessageCount",)


def test_other_rules_judge_the_payload_as_it_came() -> None:
    found = classify(meeting(), load_good("classify"))
    assert classify(found, load_good("classify")) == found
    assert classify(found, rulebook(RULES)) == meeting()
    assert classify(found, saying("{kind: edit}", "{kind: message}")).kind == "edit"


@given(payloads(), st.sampled_from(["call", "message", "edit", "reaction"]), st.data())
def test_what_was_classified_is_a_situation_its_kind_can_be_in(
    subject: ConditionSubject, kind: str, data: st.DataObject
) -> None:
    told = subject.notification
    said = {"kind": kind}
    for name, words in (("callAction", ["initiated", "ended"]), ("callType", ["audio"])):
        if word := data.draw(st.sampled_from(["", *words])):
            said[name] = word
    found = apply_classification(told, said)
    assert reset_classification(found) == told
    assert apply_classification(reset_classification(found), found.classified) == found
    assert found.kind == kind
    assert (found.details.get("type") == "call") is (kind == "call")


def test_every_kind_and_word_makes_a_situation_the_index_knows() -> None:
    for kind, action in product(("call", "message", "reaction"), ("initiated", "ended")):
        found = apply_classification(push(), {"kind": kind, "callAction": action})
        recipient = world().recipient("app", "ann")
        calendar = Calendar(Hours(), recipient, NOON)
        subject = ConditionSubject(
            notification=found, recipient=recipient, vars={}, now=NOON, calendar=calendar
        )
        assert locate(subject) in number_shapes()


def test_explain_says_that_classify_made_the_kind_or_failed_to() -> None:
    entry = "classify: [{when: {type: chat}, as: {kind: '{{ custom.what }}'}}]\nrules: []\n"
    ruleset = rulebook(entry)

    def told(what: str) -> Trace:
        notification = classify(push(custom={"what": what}), ruleset)
        return explain(notification, ruleset, world(), NOON)

    edit = told("edit").notification
    assert (edit["kind"], edit["why"]) == ("edit", "classify says so at rules.yaml:8:12")
    other = told("x").notification
    assert other["kind"] == "message"
    assert str(other["why"]).endswith(
        'classify failed at rules.yaml:8:12: unknown value "x" for kind'
    )
