"""What edits and deletions do to what still waits, and to what was sent."""

import pytest
from msgspec.structs import replace

from router.core.decide.decide import Decision, decide
from router.core.model.facts import DecisionState, PriorDelivery
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.notifications import NOON, push
from tests.core.rulesets import ANN, MAIL, PHONE, rulebook, world

ABOUT = "message:app:ann_user_bob:7"
ENTITIES: Json = {"on": {"entity": {"id": "7"}}}
BOTH = "rules: [{name: chat, send: [app, {channel: mail, title: Hi}]}]"


def change(action: str, uid: str = "ann") -> Notification:
    data: Json = {"action": action, "entities": ENTITIES}
    message: Json = {"id": "8", "category": "action", "type": "message", "data": data}
    return replace(push(uid, message=message), id="n2")


EDIT, DELETE = change("edited"), change("deleted")


def waits(step: int = 1, rule: str = "chat", **fields: object) -> PriorDelivery:
    """Return Ann's mail, which waits for ten minutes."""
    mail = PriorDelivery(
        id=f"n1-{step}",
        app_id="app",
        uid="ann",
        rule=rule,
        step=step,
        channel="mail",
        contact=MAIL.id,
        address=MAIL.address,
        due_at=NOON + 600,
        expires_at=NOON + 9000,
    )
    return replace(mail, **fields)


def retell(notification: Notification, rules: str, *waiting: PriorDelivery) -> Decision:
    facts = world(ANN)
    facts.earlier[ABOUT] = {each.id: each for each in waiting}
    return decide(notification, rulebook(rules), facts, NOON)


def ends(decision: Decision) -> list[tuple[str, str, str]]:
    return [(each.delivery, each.state, each.reason) for each in decision.effects.endings]


def told(decision: Decision) -> list[tuple[str, str, str]]:
    return [(each.channel, each.state, each.reason) for each in decision.deliveries]


def test_an_edit_takes_the_place_of_what_waits() -> None:
    decision = retell(EDIT, BOTH, waits())
    assert ends(decision) == [("n1-1", "cancelled", "replaced: n2-2")]
    mail = decision.deliveries[2]
    assert (mail.state, mail.due_at, mail.expires_at) == ("waiting", NOON + 600, NOON + 9000)
    assert mail.about == ABOUT


def test_a_deletion_cancels_what_waits_and_nothing_is_sent_in_its_place() -> None:
    decision = retell(DELETE, BOTH, waits())
    assert ends(decision) == [("n1-1", "cancelled", "deleted")]
    assert told(decision)[2] == ("mail", "suppressed", "deleted: n1-1")


def test_a_deletion_cancels_whatever_the_rules_make_of_it() -> None:
    for rules in ("rules: []", "rules: [{name: noise, drop: true}]"):
        assert ends(retell(DELETE, rules, waits())) == [("n1-1", "cancelled", "deleted")]
    own = replace(DELETE, sender="ann")
    decision = retell(own, BOTH, waits())
    assert (decision.reason, len(ends(decision))) == ("own_act", 1)


def test_what_was_sent_is_changed_only_where_the_channel_can() -> None:
    for notification in (EDIT, DELETE):
        assert told(retell(notification, BOTH)) == [
            ("app", "waiting", ""),
            ("app", "waiting", ""),
            ("mail", "suppressed", "cannot_change"),
        ]


def test_a_step_may_take_edits_and_deletions_for_messages() -> None:
    rules = "rules: [{name: chat, send: [app, {channel: mail, retract: false}]}]"
    for notification in (EDIT, DELETE):
        decision = retell(notification, rules, waits())
        assert told(decision)[2] == ("mail", "waiting", "")
        assert ends(decision) == []


def test_an_edit_changes_what_its_own_step_left_else_what_another_rule_did() -> None:
    rules = "rules: [{name: chat, send: [mail, {channel: mail, title: Again}]}]"
    decision = retell(EDIT, rules, waits(1))
    assert told(decision) == [("mail", "suppressed", "cannot_change"), ("mail", "waiting", "")]
    elsewhere = retell(EDIT, rules, waits(0, "gone"))
    assert told(elsewhere) == [("mail", "waiting", ""), ("mail", "suppressed", "cannot_change")]
    assert ends(elsewhere) == [("n1-0", "cancelled", "replaced: n2-0")]


@pytest.mark.parametrize(
    "other",
    [
        waits(uid="cleo"),
        waits(app_id="other"),
        waits(channel="room"),
        waits(contact=PHONE.id),
        waits(contact="", address="elsewhere"),
    ],
)
def test_what_goes_elsewhere_is_left_alone(other: PriorDelivery) -> None:
    assert ends(retell(EDIT, BOTH, other)) == []


def test_what_speaks_for_all_is_changed_by_the_first_that_hears() -> None:
    rules = "rules: [{name: chat, send: [{channel: room, once_per: message}]}]"
    room = waits(0, channel="room", contact="", address="", uid="cleo")
    assert ends(retell(EDIT, rules, room)) == [("n1-0", "cancelled", "replaced: n2-0")]
    assert ends(retell(DELETE, rules, room)) == [("n1-0", "cancelled", "deleted")]
    alone = "rules: [{name: chat, send: [room]}]"
    for notification in (EDIT, DELETE):
        assert ends(retell(notification, alone, room)) == []


def test_the_edit_of_the_others_is_suppressed_as_their_message_was() -> None:
    rules = rulebook("rules: [{name: chat, send: [{channel: room, once_per: message}]}]")
    facts: DecisionState = world(ANN)
    room = waits(0, channel="room", contact="", address="")
    facts.earlier[ABOUT] = {room.id: room}
    facts.apply_changes(decide(EDIT, rules, facts, NOON).effects)
    assert facts.earlier == {ABOUT: {}}
    facts.earlier[ABOUT] = {"n3-0": replace(room, id="n3-0")}
    second = decide(replace(change("edited", "cleo"), id="n4"), rules, facts, NOON)
    assert told(second) == [("room", "suppressed", "once: n2-0")]
    assert ends(second) == []


def test_an_edit_that_comes_late_still_changes_what_waits() -> None:
    old = replace(EDIT, sent_at=NOON - 86399)
    facts = world(ANN)
    facts.earlier[ABOUT] = {"n1-1": waits()}
    decision = decide(old, rulebook(BOTH), facts, NOON + 5)
    assert [each.state for each in decision.deliveries] == ["expired", "expired", "waiting"]


def test_an_edit_in_hours_that_drop_still_changes_what_waits() -> None:
    rules = (
        'hours: {lunch: {from: "11:00", to: "13:00"}}\n'
        "rules: [{name: chat, send: [room, {channel: mail, quiet: {hours: lunch, mode: drop}}]}]"
    )
    assert told(retell(EDIT, rules, waits()))[1] == ("mail", "waiting", "")
    assert told(retell(EDIT, rules))[1] == ("mail", "suppressed", "quiet: lunch")


def test_a_message_changes_nothing() -> None:
    decision = retell(replace(push(), id="n2"), BOTH, waits())
    assert (ends(decision), told(decision)[2]) == ([], ("mail", "waiting", ""))
