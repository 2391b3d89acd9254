import msgspec

from router.core.decide.decide import decide
from router.core.model.facts import OnceKey
from tests.core.notifications import NOON, call, push
from tests.core.rulesets import ANN, MAIL, decided, kept_back, rulebook, went, world

ONCE = "rules: [{name: rooms, send: [{channel: room, once_per: message}]}]"


def test_the_recipients_of_one_event_share_one_message() -> None:
    ruleset, facts = rulebook(ONCE), world()
    first = decide(push("ann"), ruleset, facts, NOON)
    facts.apply_changes(first.effects)
    cleo = msgspec.structs.replace(push("cleo"), id="n2")
    second = decide(cleo, ruleset, facts, NOON)
    key = OnceKey(push().event, "rooms", 0, "room", "")
    assert first.effects.once == ((key, "n1-0"),)
    assert first.deliveries[0].once == key
    assert kept_back(*second.deliveries) == [("rooms", "room", "once: n1-0")]
    assert second.deliveries[0].once is None
    assert second.effects.once == ()


def test_planning_again_keeps_the_key_that_was_taken() -> None:
    ruleset, facts = rulebook(ONCE), world()
    first = decide(push(), ruleset, facts, NOON)
    facts.apply_changes(first.effects)
    assert decide(push(), ruleset, facts, NOON) == first


def test_who_is_suppressed_takes_no_key() -> None:
    closed = msgspec.structs.replace(ANN, opt_outs=frozenset({"room"}))
    decision = decided(push(), ONCE, closed)
    assert decision.effects.once == ()
    assert kept_back(*decision.deliveries) == [("rooms", "room", "opted_out")]


def test_each_fixed_address_has_a_key_of_its_own_and_contacts_have_none() -> None:
    send = "{channel: mail, once_per: message, to: [a@x.test, b@x.test]}"
    decision = decided(push(), f"rules: [{{name: all, send: [{send}]}}]")
    assert [key.address for key, _ in decision.effects.once] == ["a@x.test", "b@x.test"]
    own = decided(push(), "rules: [{name: all, send: [{channel: mail, once_per: message}]}]")
    assert own.effects.once == ()
    assert went(*own.deliveries) == [("all", "mail", MAIL.address)]


def test_what_expired_holds_its_key_so_that_one_letter_is_dead_and_not_a_hundred() -> None:
    ruleset, facts = rulebook(ONCE), world()
    first = decide(call(), ruleset, facts, NOON + 60)
    facts.apply_changes(first.effects)
    cleo = msgspec.structs.replace(call("initiated", "cleo"), id="n2")
    second = decide(cleo, ruleset, facts, NOON + 60)
    assert first.deliveries[0].state == "expired"
    assert kept_back(*second.deliveries) == [("rooms", "room", "once: n1-0")]
