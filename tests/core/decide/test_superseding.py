"""What edits and deletions do to what was shown, or is about to be."""

import pytest
from msgspec.structs import replace

from router.core.decide.decide import Decision, decide
from router.core.decide.retraction import changes_something
from router.core.model.facts import DecisionState, PriorDelivery
from router.core.model.notification import DAY_S
from router.core.rules.ruleset import ChannelSpec
from tests.core.decide.test_retraction import ABOUT, BOTH, DELETE, EDIT, change, ends, told, waits
from tests.core.notifications import NOON, call, push
from tests.core.rulesets import ANN, PHONE, rulebook, world

ROOM = "rules: [{name: chat, send: [{channel: room, after: 10m}]}]"
SHARED = "rules: [{name: chat, send: [{channel: room, once_per: message}]}]"
KEPT = "rules: [{name: chat, send: [{channel: room, retract: false}]}]"
NONE = "rules: []"


def shown(**fields: object) -> PriorDelivery:
    """Return what was posted to a room for Ann, and has a handle."""
    fields = {"state": "delivered", "named": True, "lane": "app/ann", "id": "n1-0"} | fields
    return replace(waits(0, channel="room", contact="", address=""), **fields)


def able(rules: str, *, updates: bool = True, retracts: bool = True) -> dict[str, ChannelSpec]:
    room = rulebook(rules).channels["room"]
    return {"room": replace(room, updates=updates, retracts=retracts)}


def retell(
    kind: str, rules: str, *earlier: PriorDelivery, uid: str = "ann", **ways: bool
) -> Decision:
    facts = world(ANN)
    facts.earlier[ABOUT] = {each.id: each for each in earlier}
    ruleset = rulebook(rules)
    ruleset = replace(ruleset, channels=ruleset.channels | able(rules, **ways))
    return decide(change(kind, uid), ruleset, facts, NOON)


def changes(decision: Decision) -> list[tuple[str, str, str]]:
    return [(each.operation, each.original, each.reason) for each in decision.deliveries]


def test_an_edit_changes_what_was_shown_at_once_and_in_its_lane() -> None:
    (edit,) = retell("edited", ROOM, shown(lane="app/cleo")).deliveries
    assert (edit.operation, edit.original, edit.state) == ("update", "n1-0", "waiting")
    assert (edit.due_at, edit.expires_at, edit.lane) == (NOON, NOON + DAY_S, "app/cleo")
    assert edit.follows


def test_a_deletion_takes_back_what_was_shown_whatever_the_rules_make_of_it() -> None:
    for rules in (ROOM, NONE, "rules: [{name: noise, drop: true}]"):
        (gone,) = retell("deleted", rules, shown(privacy="no_body", collapse="c")).deliveries
        assert (gone.operation, gone.original, gone.state) == ("retract", "n1-0", "waiting")
        assert (gone.channel, gone.lane, gone.about, gone.due_at) == (
            "room",
            "app/ann",
            ABOUT,
            NOON,
        )
        assert (gone.rule, gone.follows) == ("chat", True)
    (gone,) = retell("deleted", NONE, shown(privacy="no_body", collapse="c")).deliveries
    assert (gone.privacy, gone.collapse, gone.expires_at) == ("no_body", "c", NOON + DAY_S)


def test_a_step_keeps_what_it_has_shown_if_it_says_so() -> None:
    assert [each.operation for each in retell("deleted", KEPT, shown()).deliveries] == ["send"]
    assert retell("edited", KEPT, shown()).deliveries[0].operation == "send"


@pytest.mark.parametrize("kind", ["edited", "deleted"])
def test_what_is_being_sent_is_waited_for_whatever_the_channel_can(kind: str) -> None:
    operation = "update" if kind == "edited" else "retract"
    for can in (True, False):
        sending = shown(state="sending", named=False)
        decision = retell(kind, ROOM, sending, updates=can, retracts=can)
        assert changes(decision) == [(operation, "n1-0", "")]


@pytest.mark.parametrize("kind", ["edited", "deleted"])
def test_what_has_no_handle_cannot_be_changed(kind: str) -> None:
    for earlier, can, reason in (
        (shown(named=False), True, "cannot_change"),
        (shown(), False, "cannot_change"),
        (shown(address="elsewhere"), True, "not_shown"),
    ):
        decision = retell(kind, ROOM, earlier, updates=can, retracts=can)
        assert decision.deliveries[0].reason == reason
        assert decision.deliveries[0].state == "suppressed"


def test_what_was_taken_back_is_changed_no_more() -> None:
    gone = shown(id="n3-0", operation="retract", original="n1-0", state="waiting")
    assert changes(retell("edited", ROOM, shown(), gone)) == [("send", "", "not_shown")]
    assert changes(retell("deleted", ROOM, shown(), gone)) == [("send", "", "deleted: n3-0")]
    assert changes(retell("deleted", NONE, shown(), gone)) == []


def test_an_edit_that_waits_is_replaced_by_the_next_and_changes_the_same() -> None:
    first = shown(id="n3-0", operation="update", original="n1-0", state="waiting", lane="l")
    decision = retell("edited", ROOM, shown(), first)
    assert changes(decision) == [("update", "n1-0", "")]
    assert decision.deliveries[0].lane == "l"
    assert ends(decision) == [("n3-0", "cancelled", "replaced: n2-0")]
    deletion = retell("deleted", ROOM, shown(), first)
    assert changes(deletion) == [("retract", "n1-0", "")]
    assert ends(deletion) == [("n3-0", "cancelled", "deleted")]


def test_what_speaks_for_all_is_changed_once() -> None:
    ruleset = rulebook(SHARED)
    ruleset = replace(ruleset, channels=ruleset.channels | able(SHARED))
    for kind, operation in (("edited", "update"), ("deleted", "retract")):
        facts: DecisionState = world(ANN)
        facts.earlier[ABOUT] = {"n1-0": shown(uid="cleo")}
        first = decide(change(kind), ruleset, facts, NOON)
        assert changes(first) == [(operation, "n1-0", "")]
        facts.apply_changes(first.effects)
        second = decide(replace(change(kind, "dora"), id="n4"), ruleset, facts, NOON)
        assert told(second) == [("room", "suppressed", "once: n2-0")]


def test_what_goes_to_others_alone_is_left_alone() -> None:
    for kind in ("edited", "deleted"):
        assert changes(retell(kind, ROOM, shown(uid="cleo"))) == [("send", "", "not_shown")]
        assert changes(retell(kind, NONE, shown(uid="cleo"))) == []


def test_a_device_that_got_the_message_is_told_to_take_it_back() -> None:
    phone = shown(channel="app", contact=PHONE.id, address=PHONE.address, named=False)
    for rules in (BOTH, NONE):
        gone = [each for each in retell("deleted", rules, phone).deliveries if each.original]
        assert [(each.channel, each.contact, each.operation) for each in gone] == [
            ("app", PHONE.id, "retract")
        ]


def test_a_rule_s_deletion_is_quiet_though_nothing_of_the_message_is_known() -> None:
    app = retell("deleted", BOTH).deliveries[0]
    assert (app.channel, app.state, app.operation, app.original) == (
        "app",
        "waiting",
        "retract",
        "",
    )


def test_a_fixed_place_that_cannot_take_back_is_told_by_rules_alone() -> None:
    gateway = shown(channel="app", named=False)
    assert retell("deleted", NONE, gateway).deliveries == ()
    assert retell("deleted", NONE, shown(channel="gone")).deliveries == ()


def test_an_edit_of_what_a_device_shows_goes_as_a_message_in_its_place() -> None:
    phone = shown(channel="app", contact=PHONE.id, address=PHONE.address)
    edit = retell("edited", BOTH, phone).deliveries[0]
    assert (edit.channel, edit.operation, edit.original) == ("app", "send", "")


def test_an_edit_in_hours_that_drop_changes_what_is_shown() -> None:
    rules = (
        'hours: {lunch: {from: "11:00", to: "13:00"}}\n'
        "rules: [{name: chat, send: [{channel: room, quiet: {hours: lunch, mode: drop}}]}]"
    )
    assert changes(retell("edited", rules, shown())) == [("update", "n1-0", "")]


def test_nobody_is_told_twice_who_muted_the_conversation() -> None:
    facts = world(replace(ANN, muted={"ann_user_bob": 0.0}))
    facts.earlier[ABOUT] = {"n1-0": shown()}
    ruleset = rulebook(ROOM)
    ruleset = replace(ruleset, channels=ruleset.channels | able(ROOM))
    decision = decide(DELETE, ruleset, facts, NOON)
    assert changes(decision) == [("send", "", "muted"), ("retract", "n1-0", "")]
    assert changes(decide(EDIT, ruleset, facts, NOON)) == [("send", "", "muted")]


def test_edits_deletions_and_the_ends_of_calls_are_what_changes_something() -> None:
    assert all(map(changes_something, (EDIT, DELETE, call("ended"))))
    assert not any(map(changes_something, (push(), call(), call("ended", sessionId=None))))


@pytest.mark.parametrize("kind", ["edited", "deleted"])
def test_a_change_goes_under_the_key_that_what_was_shown_went_under(kind: str) -> None:
    step = "{channel: app, collapse: throttle}"
    rules = f"rules: [{{name: chat, throttle: {{max: 5, per: 1m}}, send: [{step}]}}]"
    phone = shown(channel="app", contact=PHONE.id, address=PHONE.address, collapse="burst:1")
    keys = {each.contact: each.collapse for each in retell(kind, rules, phone).deliveries}
    assert keys[PHONE.id] == "burst:1"


def test_an_edit_of_what_waits_keeps_its_key() -> None:
    waiting = shown(state="waiting", named=False, collapse="burst:1")
    (edit,) = retell("edited", ROOM, waiting).deliveries
    assert edit.collapse == "burst:1"


def test_what_takes_a_message_back_goes_under_the_key_of_that_message() -> None:
    phone = shown(channel="app", contact=PHONE.id, address=PHONE.address, collapse="kept")
    rules = "rules: [{name: chat, send: [{channel: app, collapse: none}]}]"
    for each in (rules, NONE):
        gone = [one for one in retell("deleted", each, phone).deliveries if one.original]
        assert [one.collapse for one in gone] == ["kept"]
