"""Declared fields: their defaults are seen by conditions, templates and explain alike."""

import pytest

from router.core.decide.decide import decide
from router.core.decide.render import render
from router.core.model.payload import Json
from router.core.rules.classify import classify
from router.core.simulate.explain import explain
from tests.core.notifications import NOON, push
from tests.core.rulesets import ANN, rulebook, world

RULES = rulebook("""
fields:
  custom.tier: {type: enum, values: [free, gold], default: free}
  custom.urgent: {type: bool, default: false}
  custom.order.price: {type: number, default: 1.5}
  custom['odd key']: {type: text, default: none}
  custom.plain: {type: text}
  attributes.city: {type: text, default: Bonn}
classify:
  - when: {custom.tier: gold}
    as: {kind: "{% if custom.urgent %}reaction{% else %}message{% endif %}"}
enrich:
  - vars: {where: "{{ attributes.city }}"}
rules:
  - name: free
    when:
      custom.tier: free
      custom.urgent: false
      custom.order.price: {gt: 1, lt: 2}
      custom['odd key']: none
      attributes.city: Bonn
      vars.where: Bonn
      not: {custom.plain: {exists: true}}
    enrich:
      title: "{{ custom.tier }} {{ custom['tier'] }} {{ custom.order.price }} {{ vars.where }}"
      body: "{{ custom['odd key'] }} {% if custom.urgent %}!{% endif %}{{ custom.plain }}"
    send: [mail]
""")


@pytest.mark.parametrize(
    "custom",
    [None, {}, {"tier": None, "order": None}, {"order": {"price": None}}, {"order": "many"}, "x"],
)
def test_a_default_stands_in_everywhere_for_what_is_absent_or_null(custom: Json) -> None:
    notification = push(custom=custom, message=None)
    (planned,) = decide(notification, RULES, world(ANN), NOON).deliveries
    content = render(planned, notification, ANN, RULES, NOON).content
    assert (content.title, content.body) == ("free free 1.5 Bonn", "none")
    (rule,) = explain(notification, RULES, world(ANN), NOON).rules
    assert 'custom.tier is "free"' in [test.why for test in rule.tests]


def test_what_the_payload_says_goes_before_the_default() -> None:
    notification = push(custom={"tier": "gold", "urgent": True, "plain": "p"})
    assert classify(notification, RULES).kind == "reaction"
    assert classify(push(custom={"tier": "gold"}), RULES).kind == "message"
    assert decide(notification, RULES, world(ANN), NOON).reason == "no_match"


def test_a_value_that_an_enum_does_not_name_passes_and_one_of_the_wrong_type_is_noted() -> None:
    silver = decide(push(custom={"tier": "silver"}), RULES, world(ANN), NOON)
    assert (silver.reason, silver.mismatches) == ("no_match", ())
    wrong = decide(push(custom={"urgent": "false"}), RULES, world(ANN), NOON)
    assert (wrong.reason, wrong.mismatches) == ("no_match", ("custom.urgent",))
    (rule,) = explain(push(custom={"urgent": "false"}), RULES, world(ANN), NOON).rules
    assert 'custom.urgent is "false", which is neither true nor false, wants false' in [
        test.why for test in rule.tests
    ]
    assert rule.near_miss.startswith("`free` failed only on custom.urgent")


def test_no_key_of_a_payload_passes_for_the_defaults() -> None:
    forged: Json = {"custom.tier": "gold"}
    notification = push(**{"": forged})
    (planned,) = decide(notification, RULES, world(ANN), NOON).deliveries
    assert render(planned, notification, ANN, RULES, NOON).content.title.startswith("free")
