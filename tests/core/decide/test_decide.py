import msgspec
import pytest

from router.core.decide.decide import ON_NO_MATCH, decide
from router.core.model.facts import Contact
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.notifications import NOON, call, digest, push
from tests.core.rulesets import (
    ANN,
    MAIL,
    PHONE,
    TABLET,
    decided,
    rulebook,
    went,
    world,
)

CHAT = "rules: [{name: chat, when: {type: chat}, send: [app]}]"


def test_every_device_is_one_delivery() -> None:
    first, second = decided(push(), CHAT).deliveries
    assert (first.id, first.contact, first.address) == ("n1-0", PHONE.id, PHONE.address)
    assert (second.id, second.contact, second.address) == ("n1-1", TABLET.id, TABLET.address)
    assert (first.step, first.due_at, first.state) == (0, NOON, "waiting")


def test_all_matching_rules_send_in_file_order() -> None:
    decision = decided(
        push(),
        """
rules:
  - {name: one, when: {type: chat}, send: [app]}
  - {name: two, when: {type: call}, send: [text]}
  - {name: three, send: [room, mail]}
""",
    )
    assert decision.matched == ("one", "three")
    assert went(*decision.deliveries) == [
        ("one", "app", "token-1"),
        ("one", "app", "token-2"),
        ("three", "room", ""),
        ("three", "mail", "ann@example.com"),
    ]
    assert [plan.id for plan in decision.deliveries] == ["n1-0", "n1-1", "n1-2", "n1-3"]
    assert decision.reason == ""


def test_stop_ends_the_walk_after_its_own_steps() -> None:
    decision = decided(
        push(),
        "rules: [{name: one, send: [room], stop: true}, {name: two, send: [mail]}]",
    )
    assert decision.matched == ("one",)
    assert went(*decision.deliveries) == [("one", "room", "")]


def test_drop_ends_the_walk_and_what_rules_above_sent_stays() -> None:
    decision = decided(
        push(),
        "rules: [{name: one, send: [room]}, {name: two, drop: true}, {name: three, send: [mail]}]",
    )
    assert decision.matched == ("one", "two")
    assert went(*decision.deliveries) == [("one", "room", "")]
    assert decision.reason == ""


@pytest.mark.parametrize("end", ["stop", "drop"])
def test_a_rule_that_ends_the_walk_ends_it_for_the_rules_of_its_file_alone(end: str) -> None:
    first = rulebook(f"rules: [{{name: end, {end}: true}}, {{name: never, send: [mail]}}]")
    others = rulebook("rules: [{name: one, send: [room]}, {name: two, send: [mail]}]")
    owned = tuple(msgspec.structs.replace(rule, owner="support") for rule in others.rules)
    decision = decided(push(), msgspec.structs.replace(first, rules=(*first.rules, *owned)))
    assert decision.matched == ("end", "one", "two")
    assert [planned.channel for planned in decision.deliveries] == ["room", "mail"]


def test_a_drop_with_nothing_above_it_is_the_reason() -> None:
    decision = decided(push(), "rules: [{name: noise, drop: true}, {name: all, send: [mail]}]")
    assert (decision.deliveries, decision.reason) == ((), "dropped: noise")


@pytest.mark.parametrize(
    ("notification", "is_own"),
    [
        (push("bob"), True),
        (push("ann"), False),
        (push("bob", sender=None), False),
        (push("7", sender=7), True),
        (call("initiated", "bob"), True),
        (call("cancelled", "bob"), False),
        (digest("email", "bob"), False),
    ],
)
def test_a_recipient_does_not_hear_of_their_own_act(
    notification: Notification, *, is_own: bool
) -> None:
    decision = decided(notification, "rules: [{name: all, send: [room]}]")
    assert (decision.reason == "own_act") is is_own
    assert bool(decision.deliveries) is not is_own


def test_a_file_can_ask_for_own_acts_too() -> None:
    rules = "defaults: {notify_sender: true}\nrules: [{name: all, send: [room]}]"
    assert decided(push("bob"), rules).matched == ("all",)


def test_what_no_rule_matched_is_dropped() -> None:
    decision = decided(push(), "rules: [{name: calls, when: {type: call}, send: [app]}]")
    assert (decision.matched, decision.deliveries, decision.reason) == ((), (), "no_match")


def test_what_no_rule_matched_goes_where_the_defaults_say() -> None:
    decision = decided(
        push(),
        """
defaults: {on_no_match: [room, mail]}
rules: [{name: calls, when: {type: call}, send: [app]}]
""",
    )
    assert decision.matched == ()
    assert went(*decision.deliveries) == [
        (ON_NO_MATCH, "room", ""),
        (ON_NO_MATCH, "mail", "ann@example.com"),
    ]
    assert decision.reason == ""


def test_a_rule_that_matched_without_a_step_is_no_missing_match() -> None:
    decision = decided(
        push(),
        """
defaults: {on_no_match: [room]}
rules: [{name: chat, send: [{channel: app, when: {type: call}}]}]
""",
    )
    assert (decision.matched, decision.deliveries, decision.reason) == (("chat",), (), "no_step")


def test_a_step_has_a_condition_of_its_own() -> None:
    rules = """
rules:
  - name: chat
    send: [room, {channel: app, when: {attributes.tier: gold}}]
"""
    gold = msgspec.structs.replace(ANN, attributes={"tier": "gold"})
    assert [plan.channel for plan in decided(push(), rules).deliveries] == ["room"]
    channels = [plan.channel for plan in decided(push(), rules, gold).deliveries]
    assert channels == ["room", "app", "app"]


def test_steps_of_two_rules_to_one_address_are_one_delivery_and_the_first_wins() -> None:
    decision = decided(
        push(),
        """
rules:
  - {name: one, send: [{channel: mail, priority: low}]}
  - {name: two, send: [{channel: mail, priority: high}, room]}
""",
    )
    assert went(*decision.deliveries) == [
        ("one", "mail", "ann@example.com"),
        ("two", "room", ""),
    ]
    assert decision.deliveries[0].priority == "low"
    (duplicate,) = decision.duplicates
    assert (duplicate.rule, duplicate.channel, duplicate.stands) == ("two", "mail", "one")


def test_two_steps_within_one_rule_both_stand() -> None:
    decision = decided(
        push(), "rules: [{name: one, send: [mail, {channel: mail, title: Reminder}]}]"
    )
    assert [plan.step for plan in decision.deliveries] == [0, 1]
    assert decision.duplicates == ()


@pytest.mark.parametrize(
    ("notification", "step", "seconds"),
    [
        (push(), "", 86400),
        (push(body="Reacted to your message: x"), "", 600),
        (call(), "", 45),
        (call("ended"), "", 86400),
        (digest(), "", 86400),
        (call(), ", expires: 2h", 7200),
    ],
)
def test_a_delivery_expires_counted_from_when_it_happened(
    notification: Notification, step: str, seconds: float
) -> None:
    rules = f"rules: [{{name: all, send: [{{channel: room{step}}}]}}]"
    (plan,) = decided(notification, rules, now=NOON + 5).deliveries
    assert (plan.expires_at, plan.due_at) == (NOON + seconds, NOON + 5)


def test_what_is_too_old_when_it_is_planned_is_expired() -> None:
    (plan,) = decided(call(), "rules: [{name: all, send: [room]}]", now=NOON + 45).deliveries
    assert (plan.state, plan.reason) == ("expired", "expired before it was planned")


def test_suppression_comes_before_expiry() -> None:
    (plan,) = decided(call(), "rules: [{name: all, send: [text]}]", now=NOON + 45).deliveries
    assert (plan.state, plan.reason) == ("suppressed", "no_contact")


@pytest.mark.parametrize(
    ("notification", "priority", "is_urgent"),
    [(call(), "high", True), (call("ended"), "high", False), (push(), "normal", False)],
)
def test_calls_have_high_priority_and_ringing_ones_are_urgent(
    notification: Notification, priority: str, *, is_urgent: bool
) -> None:
    (plan,) = decided(notification, "rules: [{name: all, send: [room]}]").deliveries
    assert (plan.priority, plan.urgent) == (priority, is_urgent)


def test_a_step_says_its_priority_and_privacy() -> None:
    rules = "rules: [{name: all, send: [{channel: room, priority: low, privacy: no_body}]}]"
    (plan,) = decided(call(), rules).deliveries
    assert (plan.priority, plan.privacy) == ("low", "no_body")


def test_tests_that_met_a_wrong_type_are_counted() -> None:
    rules = "rules: [{name: busy, when: {unreadMessageCount: {gt: 3}}, send: [room]}]"
    assert decided(push(unreadMessageCount=["many"]), rules).mismatches == ("unreadMessageCount",)
    assert decided(push(unreadMessageCount="4"), rules).mismatches == ()


def test_the_same_arguments_give_the_same_decision() -> None:
    ruleset, facts = rulebook(CHAT), world(ANN)
    assert decide(push(), ruleset, facts, NOON) == decide(push(), ruleset, facts, NOON)
    assert facts == world(ANN)


def test_a_decision_names_the_version_of_the_rules() -> None:
    ruleset = rulebook(CHAT)
    assert decided(push(), ruleset).version == ruleset.version
    assert decided(push("bob"), ruleset).version == ruleset.version


def test_two_contacts_with_one_address_stand_within_a_rule_and_not_across_rules() -> None:
    twin = Contact(id="c9", kind="email", address=MAIL.address)
    both = msgspec.structs.replace(ANN, contacts=(MAIL, twin))
    rules = "rules: [{name: one, send: [mail]}, {name: two, send: [mail]}]"
    decision = decided(push(), rules, both)
    assert [plan.contact for plan in decision.deliveries] == ["c3", "c9"]
    assert len(decision.duplicates) == 2


@pytest.mark.parametrize(
    ("notification", "follows"),
    [
        (push(), False),
        (call("initiated"), False),
        (call("cancelled"), True),
        (call("ended"), True),
    ],
)
def test_what_changes_something_sent_before_follows_it(
    notification: Notification, *, follows: bool
) -> None:
    decision = decided(notification, "rules: [{name: all, send: [app]}]")
    assert {plan.follows for plan in decision.deliveries} == {follows}


def test_an_edit_follows_and_shares_the_key_of_its_message() -> None:
    message: Json = {"id": "7", "category": "message"}
    entity: Json = {"entity": {"id": "7"}}
    action: Json = {"action": "edited", "entities": {"on": entity}}
    edited: Json = {"id": "8", "category": "action", "type": "message", "data": action}
    rules = "rules: [{name: all, send: [room]}]"
    (first,) = decided(push(tag="7", message=message), rules).deliveries
    (second,) = decided(push(tag="7", message=edited), rules).deliveries
    assert (first.follows, second.follows) == (False, True)
    assert first.collapse == second.collapse
