"""The trace and the decision never disagree."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.core.decide.decide import decide
from router.core.model.facts import Recipient, Scalar
from router.core.simulate.explain import explain
from router.samples import SAMPLE_NAMES
from tests.core.notifications import NOON, notify, sample
from tests.core.rulesets import rulebook, world

TESTS: dict[str, list[Any]] = {
    "type": ["chat", "call", ["chat", "call"]],
    "callAction": ["initiated", {"exists": True}],
    "receiverType": ["user", "group"],
    "kind": ["message", ["call", "digest"], "reaction"],
    "sender": ["cometchat-uid-1", {"starts_with": "cometchat"}, {"contains": "9"}],
    "feed": ["push", "email"],
    "unreadMessageCount": [{"gt": 3}, 5],
    "attributes.tier": ["gold", {"exists": False}],
    "reply": [True, False],
}
flat = st.dictionaries(st.sampled_from(sorted(TESTS)), st.none(), min_size=1, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(TESTS[name]) for name in names})
)
nested = st.recursive(
    flat,
    lambda inner: (
        st.builds(
            lambda a, parts: a | {"any": parts}, flat, st.lists(inner, min_size=1, max_size=2)
        )
        | st.builds(lambda parts: {"none": parts}, st.lists(inner, min_size=1, max_size=2))
    ),
    max_leaves=3,
)
rule_lists = st.lists(
    st.tuples(nested, st.sampled_from(["", "stop", "drop"])), min_size=1, max_size=8
)


@given(rule_lists, st.sampled_from(SAMPLE_NAMES), st.booleans())
def test_the_trace_matches_just_the_rules_that_the_decision_matched(
    conditions: list[tuple[dict[str, Any], str]], name: str, is_gold: bool
) -> None:
    rules = [
        {"name": f"r{number}", "when": when}
        | ({end: True} if end else {})
        | ({"send": ["room", "app"]} if end != "drop" else {})
        for number, (when, end) in enumerate(conditions)
    ]
    ruleset = rulebook(f"rules: {json.dumps(rules)}")
    notification = notify(sample(name))
    attributes: dict[str, Scalar] = {"tier": "gold"} if is_gold else {}
    known = Recipient(app_id=notification.app_id, uid=notification.uid, attributes=attributes)
    decision = decide(notification, ruleset, world(known), NOON)
    trace = explain(notification, ruleset, world(known), NOON)
    assert tuple(rule.name for rule in trace.rules if rule.matched) == decision.matched
    assert trace.reason == decision.reason
    assert [
        (told.id, told.rule, told.channel, told.to, told.state, told.due, told.expires)
        for told in trace.deliveries
    ] == [
        (each.id, each.rule, each.channel, each.address, each.state, each.due_at, each.expires_at)
        for each in decision.deliveries
    ]
    ended = ""
    for rule in trace.rules:
        assert not (rule.matched and not rule.reached)
        assert not (rule.near_miss and rule.matched)
        assert rule.ended_by == ended
        assert rule.reached is (not ended and trace.reason != "own_act")
        assert not rule.ends or rule.matched
        ended = rule.name if rule.ends else ended
