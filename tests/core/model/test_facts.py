from router.core.model.facts import Contact, DecisionState, OnceKey, Recipient, StateChanges

ANN = Recipient(app_id="app", uid="ann", contacts=(Contact(id="c1", kind="sms", address="+1"),))


def test_a_recipient_is_known_by_app_and_uid() -> None:
    facts = DecisionState(recipients={("app", "ann"): ANN})
    assert facts.recipient("app", "ann") is ANN
    assert facts.recipient("other", "ann") == Recipient(app_id="other", uid="ann")


def test_the_next_decision_sees_what_this_one_took() -> None:
    key = OnceKey("event", "rule", 0, "room", "")
    facts = DecisionState()
    facts.apply_changes(StateChanges(once=((key, "n1-0"),)))
    assert facts.once == {key: "n1-0"}
    facts.apply_changes(StateChanges())
    assert facts.once == {key: "n1-0"}


def test_facts_share_nothing_with_each_other() -> None:
    first, second = DecisionState(), DecisionState()
    first.once[OnceKey("e", "r", 0, "c", "")] = "n1-0"
    assert second.once == {}
