import json

import msgspec
import pytest

from router.core.model.facts import Recipient
from router.core.model.notification import Notification
from router.core.rules.ruleset import Ruleset
from router.core.simulate.explain import Trace, explain, find_near_misses
from tests.core.notifications import NOON, call, digest, push
from tests.core.rulesets import ANN, rulebook, world


def traced(notification: Notification, rules: str | Ruleset, recipient: Recipient = ANN) -> Trace:
    ruleset = rulebook(rules) if isinstance(rules, str) else rules
    return explain(notification, ruleset, world(recipient), NOON)


def test_a_trace_has_the_documented_shape() -> None:
    trace = traced(
        push(unreadMessageCount=2),
        "rules:\n  - {name: chat, when: {type: chat}, send: [{channel: mail, title: Hi}]}\n",
    )
    told = json.loads(msgspec.json.encode(trace))
    assert told["notification"] == {
        "kind": "message",
        "why": "detected from the texts, without a message object: nothing says otherwise",
        "guessed": True,
        "feed": "push",
        "recipient": "ann",
        "appId": "app",
        "sender": "bob",
        "conversation": "ann_user_bob",
        "reply": False,
        "mention": False,
        "occurred_at": NOON,
    }
    assert told["rules"] == [
        {
            "name": "chat",
            "place": "rules.yaml:9:12",
            "matched": True,
            "reached": True,
            "ended_by": "",
            "ends": "",
            "tests": [
                {
                    "field": "type",
                    "place": "rules.yaml:9:25",
                    "held": True,
                    "why": 'type is "chat"',
                }
            ],
            "near_miss": "",
            "steps": [],
        }
    ]
    assert told["deliveries"] == [
        {
            "id": "n1-0",
            "rule": "chat",
            "step": 0,
            "channel": "mail",
            "to": "ann@example.com",
            "state": "waiting",
            "reason": "",
            "due": NOON,
            "expires": NOON + 86400,
            "deferred": "",
            "unless": [],
            "stands_by": False,
            "priority": "normal",
            "privacy": "none",
            "collapse": "message:app:ann_user_bob:7",
            "operation": "send",
            "original": "",
            "title": "Hi",
            "body": "hello",
            "data": {},
            "link": "",
            "image": "",
            "sound": "",
            "badge": 2,
        }
    ]
    assert (told["duplicates"], told["reason"], told["faults"]) == ([], "", 0)


def near_misses(rules: str, notification: Notification | None = None) -> list[str]:
    return [rule.near_miss for rule in traced(notification or push(), rules).rules]


def test_a_near_miss_names_the_one_part_that_failed() -> None:
    rules = """
rules:
  - {name: vip, when: {type: chat, attributes.tier: gold}, send: [app]}
  - {name: far, when: {type: call, attributes.tier: gold}, send: [app]}
  - {name: single, when: {type: call}, send: [app]}
  - {name: either, when: {type: chat, any: [{type: call}, {sender: zoe}]}, send: [app]}
  - {name: or, when: [{type: call}, {sender: zoe}], send: [app]}
  - {name: match, when: {type: chat, sender: bob}, send: [app]}
"""
    free = msgspec.structs.replace(ANN, attributes={"tier": "free"})
    trace = traced(push(), rules, free)
    assert [rule.near_miss for rule in trace.rules] == [
        '`vip` failed only on attributes.tier is "free", wants "gold"',
        "",
        "",
        '`either` failed only on type is "chat", wants "call"; sender is "bob", wants "zoe"',
        "",
        "",
    ]


def test_a_near_miss_by_a_negation_says_what_was_not_wanted() -> None:
    (miss,) = near_misses("rules: [{name: x, when: {type: chat, not: {sender: bob}}, send: [app]}]")
    assert miss == '`x` failed only on sender is "bob", wants not "bob"'


def test_a_rule_says_how_it_ends_the_walk_and_which_one_ended_it() -> None:
    rules = "rules: [{name: a, send: [room]}, {name: b, %s}, {name: c, send: [app]}]"
    for end, how in (("stop", "send: [mail], stop: true"), ("drop", "drop: true")):
        told = [(rule.ends, rule.ended_by) for rule in traced(push(), rules % how).rules]
        assert told == [("", ""), (end, ""), ("", "b")]


def test_a_ring_that_comes_after_its_call_is_over_reaches_no_rule() -> None:
    ruleset, ring = rulebook("rules: [{name: one, send: [room]}]"), call()
    facts = world(ANN)
    facts.calls["app", "s1"] = {("", "cancelled")}
    trace = explain(ring, ruleset, facts, NOON)
    assert (trace.reason, trace.deliveries) == ("call_over", [])
    assert [(rule.matched, rule.reached, rule.ended_by) for rule in trace.rules] == [
        (False, False, "")
    ]


def test_a_ring_is_needless_when_the_call_is_over() -> None:
    plain, told = traced(
        call(),
        "rules: [{name: one, send: [room, "
        "{channel: mail, after: 20s, unless: [{read: true}, {call: over}]}]}]",
    ).deliveries
    assert (plain.unless, plain.stands_by) == (["call over"], False)
    assert (told.unless, told.stands_by) == (["read", "call over"], False)


def test_what_stands_in_for_another_says_so() -> None:
    first, second = traced(
        push(), "rules: [{name: one, send: [room, {channel: mail, unless: {delivered: room}}]}]"
    ).deliveries
    assert (first.unless, first.stands_by) == ([], False)
    assert (second.unless, second.stands_by) == (["delivered room"], True)
    assert second.due == first.expires


def test_a_deferred_step_says_to_when_and_by_what_on_the_clock_that_counts() -> None:
    (delivery,) = traced(
        push(),
        """
hours: {night: {from: "20:00", to: "07:00", timezone: recipient}}
rules: [{name: one, send: [{channel: mail, after: 10m, quiet: night}]}]
""",
        msgspec.structs.replace(ANN, timezone="Asia/Tokyo"),
    ).deliveries
    assert delivery.due == NOON + 10 * 3600
    assert delivery.deferred == "to 07:00 Asia/Tokyo by night"


def test_rules_below_a_stop_are_not_reached() -> None:
    trace = traced(
        push(),
        "rules: [{name: one, send: [room], stop: true}, {name: two, send: [mail]}]",
    )
    assert [(rule.matched, rule.reached) for rule in trace.rules] == [(True, True), (False, False)]


def test_no_rule_is_reached_by_an_own_act() -> None:
    trace = traced(push("bob"), "rules: [{name: one, send: [room]}]")
    assert [(rule.matched, rule.reached) for rule in trace.rules] == [(False, False)]
    assert (trace.reason, trace.deliveries) == ("own_act", [])


def test_steps_with_conditions_are_told_apart() -> None:
    (rule,) = traced(
        push(),
        "rules: [{name: one, send: [room, {channel: app, when: {sender: zoe}}, "
        "{channel: mail, when: {sender: bob}}]}]",
    ).rules
    assert [(step.channel, step.held, step.tests[0].why) for step in rule.steps] == [
        ("app", False, 'sender is "bob", wants "zoe"'),
        ("mail", True, 'sender is "bob"'),
    ]
    assert [step.near_miss for step in rule.steps] == [
        '`one` to app failed only on sender is "bob", wants "zoe"',
        "",
    ]


def test_a_step_that_two_tests_kept_back_is_no_near_miss() -> None:
    (rule,) = traced(
        push(), "rules: [{name: a, send: [{channel: room, when: {sender: zoe, type: call}}]}]"
    ).rules
    assert [(step.held, step.near_miss) for step in rule.steps] == [(False, "")]


def test_a_near_miss_is_a_rule_that_one_part_of_its_condition_kept_from_matching() -> None:
    ruleset = rulebook("""
rules:
  - {name: matches, when: {type: chat}, send: [room]}
  - {name: misses one, when: {type: chat, sender: zoe}, send: [room]}
  - {name: misses two, when: {type: call, sender: zoe}, send: [room]}
""")
    assert find_near_misses(push(), ruleset, world(ANN), NOON) == ("misses one",)


def test_duplicates_and_faults_are_told() -> None:
    trace = traced(
        push(custom={"form": "%Q"}),
        """
rules:
  - {name: one, send: [{channel: mail, title: "{{ sentAt | date(custom.form) }}"}]}
  - {name: two, send: [mail]}
""",
    )
    (duplicate,) = trace.duplicates
    assert (duplicate.rule, duplicate.channel, duplicate.stands) == ("two", "mail", "one")
    assert trace.faults == 1


@pytest.mark.parametrize(
    ("notification", "why"),
    [
        (digest("sms"), "it arrived by the sms feed"),
        (call(), "type is call"),
        (push(message={"id": "7"}), "read from the message object"),
        (
            push(body="Reacted to x"),
            "detected from the texts, without a message object: the body says `Reacted to`",
        ),
        (
            push(receiverType="group", receiver="g", tag="g"),
            "detected from the texts, without a message object: tag is the group's id",
        ),
    ],
)
def test_the_kind_is_told_with_its_reason(notification: Notification, why: str) -> None:
    assert traced(notification, "rules: [{name: all, send: [room]}]").notification["why"] == why
