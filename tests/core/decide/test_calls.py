"""A call that ends: devices that rang are told to stop, and that it was missed is said once."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from router.core.decide.decide import Decision, decide
from router.core.model.facts import Contact, Device, PriorDelivery, Recipient
from router.core.model.notification import Notification
from tests.core.notifications import NOON, call
from tests.core.rulesets import ANN, MAIL, PHONE, TABLET, kept_back, rulebook, went, world

ABOUT = "call:app:s1"
RING = "rules: [{name: ring, when: {callAction: initiated}, send: [app, text]}]"
MISSED = """
rules:
  - {name: no-answer, when: {callAction: unanswered}, send: [app, mail]}
  - {name: hung-up, when: {callAction: cancelled}, send: [app, mail]}
"""
TERMINAL = ("ongoing", "cancelled", "unanswered", "rejected", "ended", "busy")


def rang(contact: str = PHONE.id, **fields: object) -> PriorDelivery:
    """Return a ring that a device of Ann's got."""
    ring = PriorDelivery(
        id=f"n0-{contact}",
        app_id="app",
        uid="ann",
        rule="ring",
        step=0,
        channel="app",
        contact=contact,
        address=f"token of {contact}",
        state="delivered",
        due_at=NOON - 20,
        expires_at=NOON + 25,
        urgent=True,
        collapse=ABOUT,
    )
    return replace(ring, **fields)


def end(
    action: str, *earlier: PriorDelivery, rules: str = RING, uid: str = "ann", **details: str
) -> Decision:
    facts = world(*people(earlier))
    facts.earlier[ABOUT] = {each.id: each for each in earlier}
    ended = replace(call(action, uid, **details), id="n2")
    return decide(ended, rulebook(rules), facts, NOON)


def people(earlier: Iterable[PriorDelivery]) -> list[Recipient]:
    """Return Ann, and the others with the devices that rang."""
    theirs = [each for each in earlier if each.contact and each.uid != "ann"]
    ann = [each.contact for each in earlier if each.uid == "ann"]
    known = {contact.id for contact in ANN.contacts}
    more = tuple(replace(PHONE, id=id_, address=id_) for id_ in ann if id_ not in known)
    return [
        replace(ANN, contacts=ANN.contacts + more),
        *(
            Recipient(app_id="app", uid=each.uid, contacts=(replace(PHONE, id=each.contact),))
            for each in theirs
        ),
    ]


def stopped(decision: Decision) -> list[str]:
    return [each.contact for each in decision.deliveries if each.operation == "retract"]


@pytest.mark.parametrize("action", TERMINAL)
def test_what_rang_is_told_to_stop_though_no_rule_names_the_end(action: str) -> None:
    (stop,) = end(action, rang()).deliveries
    assert (stop.operation, stop.original, stop.contact) == ("retract", "n0-c1", PHONE.id)
    assert (stop.priority, stop.follows, stop.urgent) == ("high", True, False)
    assert (stop.about, stop.collapse) == (ABOUT, ABOUT)
    assert (stop.due_at, stop.expires_at) == (NOON, NOON + 25 + 45)


def test_one_to_one_the_end_stops_everybody_s_devices_whoever_hears_of_it() -> None:
    rings = rang(), rang("cleo's", uid="cleo")
    assert stopped(end("ongoing", *rings, uid="bob")) == [PHONE.id, "cleo's"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        *((action, ["ann's", "bob's"]) for action in ("ongoing", "rejected", "busy")),
        *((a, ["ann's", "bob's", "cleo's"]) for a in ("cancelled", "unanswered", "ended")),
    ],
)
def test_in_a_group_what_one_does_stops_theirs_and_the_recipient_s(
    action: str, expected: list[str]
) -> None:
    rings = [rang(f"{uid}'s", uid=uid) for uid in ("ann", "bob", "cleo")]
    assert stopped(end(action, *rings, receiverType="group")) == expected


def test_what_did_not_ring_is_not_told_to_stop() -> None:
    assert stopped(end("ended")) == []
    assert stopped(end("initiated", rang())) == []
    assert stopped(end("ringing", rang())) == []
    late = rang(due_at=NOON + 20, state="waiting")
    assert stopped(end("ended", late)) == []


def test_what_may_ring_in_a_moment_is_told_once_that_is_settled() -> None:
    for ring in (rang(state="sending"), rang(state="waiting", due_at=NOON + 1)):
        assert stopped(end("ended", ring)) == [PHONE.id]


def test_what_rang_long_ago_has_stopped_by_itself() -> None:
    assert stopped(end("ended", rang(expires_at=NOON - 44))) == [PHONE.id]
    assert stopped(end("ended", rang(expires_at=NOON - 45))) == []


def test_a_device_is_told_once() -> None:
    told = rang(id="n1-0", urgent=False, operation="retract", original="n0-c1")
    assert stopped(end("ended", rang(), told)) == []
    by_rule = replace(told, operation="send", original="")
    assert stopped(end("ended", rang(), by_rule)) == []
    later = replace(by_rule, due_at=NOON + 600, state="waiting")
    assert stopped(end("ended", rang(), later)) == [PHONE.id]


def test_what_a_rule_sends_to_a_device_tells_it() -> None:
    decision = end("unanswered", rang(), rang(TABLET.id), rules=MISSED)
    assert stopped(decision) == []
    slow = MISSED.replace("[app, mail]", "[{channel: app, after: 1m}]")
    assert stopped(end("unanswered", rang(), rules=slow)) == [PHONE.id]


def phone(id_: str, platform: str, session: str = "one") -> Contact:
    device = Device(platform=platform)
    return Contact(id=id_, kind="push", address=id_, device=device, session=session)


def test_a_token_for_rings_alone_is_told_by_the_others_of_its_device() -> None:
    ruleset = rulebook(RING)
    app = replace(ruleset.channels["app"], wants=lambda _, __, platform, ___: platform != "voip")
    ruleset = replace(ruleset, channels=ruleset.channels | {"app": app})
    voip, alert, other = phone("v", "voip"), phone("a", "ios"), phone("b", "ios", "two")
    for contacts, expected in (
        ((voip, alert, other, MAIL), ["a"]),
        ((voip, other), []),
        ((replace(voip, session=""), replace(alert, session="")), []),
    ):
        facts = world(replace(ANN, contacts=contacts))
        facts.earlier[ABOUT] = {"n0-v": rang("v")}
        decision = decide(replace(call("ended"), id="n2"), ruleset, facts, NOON)
        assert stopped(decision) == expected
    facts = world(replace(ANN, contacts=(voip, alert)))
    facts.earlier[ABOUT] = {"n0-v": rang("v"), "n0-a": rang("a")}
    assert stopped(decide(replace(call("ended"), id="n2"), ruleset, facts, NOON)) == ["a"]


def test_a_device_that_is_gone_is_not_told() -> None:
    facts = world(replace(ANN, contacts=(MAIL,)))
    facts.earlier[ABOUT] = {"n0-c1": rang()}
    assert stopped(decide(replace(call("ended"), id="n2"), rulebook(RING), facts, NOON)) == []


def test_a_token_that_the_rules_name_is_told() -> None:
    (stop,) = end("ended", rang("", address="token")).deliveries
    assert (stop.contact, stop.address) == ("", "token")


def test_a_step_may_let_it_ring() -> None:
    assert (
        stopped(end("ended", rang(), rules=RING.replace("app,", "{channel: app, retract: false},")))
        == []
    )


def test_only_devices_are_told() -> None:
    for other in (rang(channel="text"), rang(channel="gone"), rang("", address="")):
        assert stopped(end("ended", other)) == []


def test_who_hung_up_has_devices_that_stop_too() -> None:
    own = end("cancelled", rang(), sender="ann")
    assert stopped(own) == [PHONE.id]


def missed(action: str, id_: str, **details: str) -> Notification:
    return replace(call(action, **details), id=id_)


@pytest.mark.parametrize("actions", [("unanswered", "cancelled"), ("cancelled", "unanswered")])
def test_a_missed_call_is_told_once_whichever_rules_match(actions: tuple[str, str]) -> None:
    ruleset, facts = rulebook(MISSED), world(ANN)
    first = decide(missed(actions[0], "n1"), ruleset, facts, NOON)
    assert [channel for _, channel, _ in went(*first.deliveries)] == ["app", "app", "mail"]
    facts.apply_changes(first.effects)
    second = decide(missed(actions[1], "n2"), ruleset, facts, NOON)
    assert [(channel, why) for _, channel, why in kept_back(*second.deliveries)] == [
        ("app", "once: n1-0"),
        ("app", "once: n1-1"),
        ("mail", "once: n1-2"),
    ]
    other = missed(actions[1], "n3", sessionId="s2")
    assert len(went(*decide(other, ruleset, facts, NOON).deliveries)) == 3
    cleo = replace(missed(actions[1], "n4"), uid="cleo")
    assert not any(
        each.reason.startswith("once") for each in decide(cleo, ruleset, facts, NOON).deliveries
    )


def test_the_steps_of_one_rule_all_tell_of_a_missed_call() -> None:
    rules = "rules: [{name: missed, send: [mail, {channel: mail, after: 1h}]}]"
    facts = world(ANN)
    first = decide(missed("unanswered", "n1"), rulebook(rules), facts, NOON)
    assert len(went(*first.deliveries)) == 2
    assert len(first.effects.once) == 1
    facts.apply_changes(first.effects)
    second = decide(missed("cancelled", "n2"), rulebook(rules), facts, NOON)
    assert [why for _, _, why in kept_back(*second.deliveries)] == ["once: n1-0"] * 2


def test_what_speaks_for_all_tells_once_of_a_call_that_all_missed() -> None:
    rules = "rules: [{name: missed, send: [{channel: room, once_per: message}]}]"
    facts = world(ANN)
    first = decide(missed("unanswered", "n1"), rulebook(rules), facts, NOON)
    facts.apply_changes(first.effects)
    cleo = replace(missed("cancelled", "n2"), uid="cleo")
    second = decide(cleo, rulebook(rules), facts, NOON)
    assert [why for _, _, why in kept_back(*second.deliveries)] == ["once: n1-0"]


def test_other_ends_and_calls_without_a_session_are_told_each_time() -> None:
    ruleset, facts = rulebook("rules: [{name: all, send: [mail]}]"), world(ANN)
    for number, (action, session) in enumerate(
        [("ended", "s1"), ("ongoing", "s1"), ("unanswered", ""), ("cancelled", "")]
    ):
        told = decide(missed(action, f"n{number}", sessionId=session), ruleset, facts, NOON)
        assert told.effects.once == ()
        assert len(went(*told.deliveries)) == 1
        facts.apply_changes(told.effects)


def test_a_stop_is_no_delivery_that_another_step_stands_by_for() -> None:
    rules = (
        "rules: [{name: missed, when: {callAction: unanswered}, "
        "send: [{channel: mail, unless: {delivered: app}}]}]"
    )
    mail, stop = end("unanswered", rang(), rules=rules).deliveries
    assert (mail.channel, mail.state, mail.due_at) == ("mail", "waiting", NOON)
    assert mail.watch is not None
    assert not mail.watch.stands_by
    assert (stop.operation, stop.awaited) == ("retract", False)
