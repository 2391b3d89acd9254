"""Whom the guard for staging permits, and what decisions make of that."""

import pytest

from router.core.decide.decide import decide
from router.core.decide.retraction import retraction_targets
from router.core.model.facts import Contact, DecisionState, Device, PriorDelivery, Recipient
from router.core.model.recipient_guard import NO_GUARD, RecipientGuard
from tests.core.notifications import NOON, push
from tests.core.rulesets import ANN, kept_back, rulebook, world


@pytest.mark.parametrize(
    ("patterns", "permitted", "refused"),
    [
        (["ann"], ["ann"], ["anna", "Ann", "bann", ""]),
        (["qa-*"], ["qa-", "qa-1", "qa-x-y"], ["qa", "xqa-1"]),
        (["*-test"], ["a-test", "-test"], ["a-tests"]),
        (["ann", "qa-*"], ["ann", "qa-1"], ["bob"]),
        (["a.c"], ["a.c"], ["abc"]),
        (["*"], ["anybody", ""], []),
    ],
)
def test_a_uid_is_permitted_whole_by_a_pattern(
    patterns: list[str], permitted: list[str], refused: list[str]
) -> None:
    guard = RecipientGuard(patterns)
    assert [uid for uid in permitted if not guard.permits(uid)] == []
    assert [uid for uid in refused if guard.permits(uid)] == []


def test_without_patterns_everybody_is_permitted() -> None:
    assert NO_GUARD.permits("anybody")
    assert not DecisionState().recipient("app", "bob").is_guarded


def test_the_facts_know_whom_it_permits_those_never_heard_of_too() -> None:
    phone = Contact(id="c", kind="push", address="t", device=Device(platform="p"))
    known = {("app", uid): Recipient(app_id="app", uid=uid, contacts=(phone,)) for uid in "ab"}
    facts = DecisionState(recipients=known, guard=RecipientGuard(["a"]))
    assert facts.recipient("app", "a") == known["app", "a"]
    guarded = facts.recipient("app", "b")
    assert (guarded.is_guarded, guarded.contacts) == (True, (phone,))
    assert facts.recipient("app", "c").is_guarded


def test_nothing_goes_anywhere_for_a_guarded_recipient_nor_holds_it_a_once_key() -> None:
    rules = (
        "rules: [{name: all, send: [app, {channel: mail, to: [a@x.test]}, "
        "{channel: room, once_per: message}]}]"
    )
    facts = world(ANN)
    facts.guard = RecipientGuard(["qa-*"])
    decision = decide(push(), rulebook(rules), facts, NOON)
    channels = ("app", "mail", "room")
    assert kept_back(*decision.deliveries) == [("all", name, "guarded") for name in channels]
    assert decision.matched == ("all",)
    assert decision.effects.once == ()


def test_nothing_is_taken_back_from_a_guarded_recipient() -> None:
    rung = PriorDelivery(
        id="n-0",
        app_id="app",
        uid="ann",
        rule="r",
        step=0,
        channel="app",
        contact="",
        address="x",
        due_at=NOON,
        expires_at=NOON,
    )
    channel = rulebook("rules: [{name: all, send: [app]}]").channels["app"]
    facts = world(ANN)
    assert retraction_targets(rung, channel, push(), facts) == [("", "x")]
    facts.guard = RecipientGuard(["bob"])
    assert retraction_targets(rung, channel, push(), facts) == []
