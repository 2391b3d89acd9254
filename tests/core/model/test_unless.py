"""What makes a waiting delivery needless: `unless`, and the end of a call."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.decide.decide import Decision, decide
from router.core.decide.planned import PlannedDelivery
from router.core.model.call import OVER, record_call_event
from router.core.model.facts import CallEvent, DecisionState, ReadMarker, Recipient, StateChanges
from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.core.model.unless import (
    MAX_KEY_LENGTH,
    WaitClause,
    bind_wait_condition,
    call_key,
    cancel_reason,
    is_released,
    keys,
    makes_needless,
    read_key,
)
from tests.core.notifications import NOON, call, digest, push
from tests.core.rulesets import ANN, MAIL, rulebook, world

NOBODY = DecisionState()


def by(rules: str, notification: Notification, *heard: CallEvent, read: int = 0) -> Decision:
    """Return the decision when this was heard of calls, and a conversation was read so far."""
    facts = world(ANN)
    facts.apply_changes(StateChanges(calls=heard))
    if read:
        facts.reads["app", "ann", "ann_user_bob"] = ReadMarker(read, 0.0)
    return decide(notification, rulebook(rules), facts, NOON)


def send(*steps: str) -> str:
    return f"rules: [{{name: all, send: [{', '.join(steps)}]}}]"


def shown(decision: Decision) -> list[tuple[str, str, str]]:
    return [(each.channel, each.state, each.reason) for each in decision.deliveries]


def over(uid: str = "", session: str = "s1") -> CallEvent:
    return CallEvent("app", session, uid, "ended")


def of_channel(decision: Decision, channel: str) -> PlannedDelivery:
    (found,) = (each for each in decision.deliveries if each.channel == channel)
    return found


def test_one_to_one_any_later_action_ends_a_call_for_everybody() -> None:
    for action in OVER:
        assert record_call_event(call(action)) == (CallEvent("app", "s1", "", action),)
    assert (
        record_call_event(call("initiated"))
        == record_call_event(call("ringing"))
        == record_call_event(push())
        == ()
    )
    assert record_call_event(call("ended", sessionId=None)) == ()


def test_in_a_group_who_answers_or_refuses_ends_it_for_the_two_of_them_alone() -> None:
    for action in ("ongoing", "rejected", "busy"):
        heard = record_call_event(call(action, receiverType="group", sender="cat"))
        assert [each.uid for each in heard] == ["cat", "ann"]
    assert [
        each.uid for each in record_call_event(call("busy", receiverType="group", sender=None))
    ] == ["ann"]
    for action in ("cancelled", "unanswered", "ended"):
        assert record_call_event(call(action, receiverType="group")) == (
            CallEvent("app", "s1", "", action),
        )


def test_a_call_is_heard_of_whatever_the_rules_make_of_it() -> None:
    facts = DecisionState()
    for rules in ("rules: []", "rules: [{name: none, drop: true}]"):
        for uid in ("ann", "bob"):
            decision = by(rules, call("ended", uid))
            assert decision.effects.calls == (over(),)
            facts.apply_changes(decision.effects)
    assert facts.heard("app", "s1", "anybody") == {"ended"}
    assert facts.heard("app", "s2", "anybody") == set()


def test_a_ring_that_comes_after_its_end_is_dropped() -> None:
    late = by(send("app"), call(), over())
    assert (late.deliveries, late.matched, late.reason) == ((), (), "call_over")
    assert by(send("app"), call(), over("ann")).reason == "call_over"
    assert by(send("app"), call(), over("cat")).reason == ""
    assert by(send("app"), call("cancelled"), over()).reason == ""
    assert by(send("app"), call(sessionId=None), over(session="")).reason == ""


def test_what_waits_for_a_ring_is_needless_when_the_call_is_over() -> None:
    ring = bind_wait_condition((), call(), is_late=False)
    assert ring is not None
    assert keys(ring) == (call_key("app", "s1"),)
    facts = DecisionState()
    assert cancel_reason(ring, facts, {}) == ""
    facts.apply_changes(StateChanges(calls=(over(),)))
    assert cancel_reason(ring, facts, {}) == "call_over"
    for other in (call("ended"), call(sessionId=None), push()):
        assert bind_wait_condition((), other, is_late=False) is None


def test_a_step_that_is_needless_already_is_cancelled_when_it_is_planned() -> None:
    rules = send("app", "{channel: mail, unless: {call: [rejected, ended]}}")
    assert [each for each in shown(by(rules, call("ended"))) if each[0] == "mail"] == [
        ("mail", "waiting", "")
    ]
    decision = by(rules, call("ended"), over())
    assert of_channel(decision, "mail").reason == "unless: call rejected or ended"
    assert of_channel(decision, "mail").state == "cancelled"
    assert of_channel(by(rules, call("ended"), CallEvent("app", "s1", "", "busy")), "mail").watch


def test_a_message_is_read_with_it_or_a_later_one_or_later() -> None:
    found = bind_wait_condition((WaitClause(read=True),), push(), is_late=True)
    assert found is not None
    for reading, is_read in (
        (ReadMarker(7, 0.0), True),
        (ReadMarker(8, 0.0), True),
        (ReadMarker(6, 0.0), False),
        (ReadMarker(0, NOON), True),
        (ReadMarker(0, NOON - 1), False),
    ):
        facts = DecisionState(reads={("app", "ann", "ann_user_bob"): reading})
        assert cancel_reason(found, facts, {}) == ("unless: read" if is_read else "")
    alone = DecisionState(reads={("app", "ann", "#7"): ReadMarker(7, 0.0)})
    assert cancel_reason(found, alone, {}) == "unless: read"


def test_only_a_message_of_its_own_has_an_id_that_can_be_read() -> None:
    whole: Json = {"id": 12, "category": "message"}
    edit: Json = {"id": 12, "category": "action", "type": "message", "data": {"action": "edited"}}
    ids = [
        found.message
        for each in (push(message=whole), push(), push(message=edit), push(tag=None), digest())
        if (found := bind_wait_condition((WaitClause(read=True),), each, is_late=True))
    ]
    assert ids == ["12", "7", "", "", ""]
    late = bind_wait_condition((WaitClause(read=True),), digest(), is_late=True)
    assert late is not None
    assert late.sent_at == NOON
    assert keys(late) == (read_key("app", "ann", "ann_user_bob"),)


def test_a_step_without_a_time_of_its_own_stands_by_until_the_other_has_ended() -> None:
    rules = send("{channel: app, expires: 60s}", "{channel: mail, unless: {delivered: app}}")
    decision = by(rules, push())
    one, other, mail = decision.deliveries
    assert (one.awaited, other.awaited, mail.awaited) == (True, True, False)
    assert (mail.due_at, mail.expires_at) == (NOON + 60, NOON + 60 + 86400)
    found = mail.watch
    assert found is not None
    assert (found.awaited, found.stands_by, found.earliest) == (
        {"app": (one.id, other.id)},
        True,
        NOON,
    )
    assert keys(found) == (f"end:{one.id}", f"end:{other.id}")
    assert not is_released(found, {one.id: False})
    assert is_released(found, {one.id: False, other.id: False})
    assert cancel_reason(found, NOBODY, {one.id: False, other.id: False}) == ""
    assert cancel_reason(found, NOBODY, {one.id: False, other.id: True}) == "unless: delivered app"


def test_a_step_goes_at_once_if_nothing_it_stands_by_for_is_under_way() -> None:
    for steps in (
        ("{channel: text}", "{channel: mail, unless: {delivered: text}}"),
        ("{channel: room, when: {type: call}}", "{channel: mail, unless: {delivered: room}}"),
        ("{channel: app, expires: 1s}", "{channel: mail, unless: {delivered: app}}"),
        ("{channel: mail, unless: {delivered: mail}}",),
    ):
        late = push(sentAt=str(int((NOON - 10) * 1000)))
        mail = of_channel(by(send(*steps), late), "mail")
        assert (mail.state, mail.due_at) == ("waiting", NOON)
        assert mail.watch is not None
        assert not is_released(mail.watch, {})


def test_of_two_that_stand_by_for_each_other_the_first_goes() -> None:
    rules = send(
        "{channel: room, unless: {delivered: mail}}", "{channel: mail, unless: {delivered: room}}"
    )
    decision = by(rules, push())
    room, mail = of_channel(decision, "room"), of_channel(decision, "mail")
    assert room.due_at == NOON
    assert mail.due_at == room.expires_at
    assert [each.awaited for each in decision.deliveries] == [True, False]


def test_a_stand_in_for_a_stand_in_waits_for_both() -> None:
    rules = send(
        "{channel: room, expires: 60s}",
        "{channel: mail, expires: 60s, unless: {delivered: room}}",
        "{channel: app, unless: {delivered: mail}}",
    )
    last = by(rules, push()).deliveries[-1]
    assert last.due_at == NOON + 120


def test_what_stands_in_for_a_needless_one_is_needless() -> None:
    rules = send(
        "{channel: mail, unless: {read: true}}", "{channel: app, unless: {delivered: mail}}"
    )
    decision = by(rules, push(), read=7)
    assert {each[1:] for each in shown(decision)} == {
        ("cancelled", "unless: read"),
        ("cancelled", "unless: delivered mail"),
    }
    assert not any(each.awaited or each.watch for each in decision.deliveries)


def test_a_step_stands_by_for_the_delivery_that_speaks_for_all() -> None:
    rules = send("{channel: room, once_per: message}", "{channel: mail, unless: {delivered: room}}")
    cat = Recipient(app_id="app", uid="cat", contacts=(replace(MAIL, id="c9"),))
    ruleset, facts = rulebook(rules), world(ANN, cat)
    first, second = push(), replace(push("cat"), id="n2")
    facts.apply_changes(decide(first, ruleset, facts, NOON).effects)
    decision = decide(second, ruleset, facts, NOON)
    winner = of_channel(decision, "room").reason.removeprefix("once: ")
    mail = of_channel(decision, "mail")
    assert mail.watch is not None
    assert mail.watch.awaited == {"room": (winner,)}
    assert mail.due_at == NOON + 86400


def test_alternatives_are_or_and_what_stands_together_is_and() -> None:
    both = bind_wait_condition(
        (WaitClause(read=True, call=OVER), WaitClause(delivered="x")), call(), is_late=True
    )
    assert both is not None
    read = DecisionState(reads={("app", "ann", "ann_user_bob"): ReadMarker(0, NOON)})
    assert cancel_reason(both, read, {}) == ""
    read.apply_changes(StateChanges(calls=(over(),)))
    assert cancel_reason(both, read, {}) == "unless: read, call over"
    assert not both.stands_by
    assert keys(both) == (call_key("app", "s1"), read_key("app", "ann", "ann_user_bob"))


def test_only_what_was_taken_or_was_needless_makes_needless() -> None:
    assert makes_needless("delivered", "")
    assert makes_needless("cancelled", "unless: read")
    assert makes_needless("cancelled", "call_over")
    for state, reason in (("cancelled", "contact_gone"), ("dead", "unless: no"), ("expired", "")):
        assert not makes_needless(state, reason)


@given(st.text(max_size=600), st.text(max_size=600))
def test_keys_are_short_and_tell_calls_from_readings(one: str, other: str) -> None:
    call_of, read_of = call_key(one, other), read_key(one, "u", other)
    assert len(call_of) <= MAX_KEY_LENGTH
    assert len(read_of) <= MAX_KEY_LENGTH
    assert call_of != read_of
    if one != other:
        assert call_key("a", one) != call_key("a", other)


def test_a_key_of_long_names_is_a_hash_that_tells_them_apart() -> None:
    one, other = (call_key("app", letter * MAX_KEY_LENGTH) for letter in "ab")
    assert one != other
    assert len(one) == len(other) < MAX_KEY_LENGTH
    assert one.startswith("call:")


def test_reading_is_watched_by_conversation_and_by_message() -> None:
    found = bind_wait_condition(
        (WaitClause(read=True), WaitClause(call=OVER)), push(), is_late=True
    )
    assert found is not None
    assert keys(found) == (read_key("app", "ann", "ann_user_bob"), read_key("app", "ann", "#7"))
