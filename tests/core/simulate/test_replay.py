"""What rules would have made of what came, and how two rulesets differ in that."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.model.facts import Recipient
from router.core.model.notification import Notification
from router.core.simulate.replay import FieldDifference, MessageChange, Replay, compare
from router.samples import SAMPLE_NAMES
from tests.core.notifications import NOON, call, notify, push, sample
from tests.core.rulesets import ANN, rulebook


def changes(
    before: str, after: str, *notifications: Notification, recipient: Recipient = ANN
) -> list[MessageChange]:
    old, new = (Replay(rulebook(f"rules: [{rules}]")) for rules in (before, after))
    return [
        change
        for each in notifications or (push(),)
        for change in compare(old.predict(each, recipient), new.predict(each, recipient))
    ]


MAIL = "ann@example.com"


def test_a_message_that_goes_no_more_and_one_that_goes_newly() -> None:
    assert changes("{name: a, send: [room]}", "{name: b, send: [mail]}") == [
        MessageChange(sign="-", rule="a", channel="room", address=""),
        MessageChange(sign="+", rule="b", channel="mail", address=MAIL),
    ]


def test_which_rule_sends_it_makes_no_difference() -> None:
    assert changes("{name: a, send: [room, app]}", "{name: b, send: [app, room]}") == []


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        ("title: Hi", FieldDifference(field="title", before="Bob", after="Hi")),
        ("badge: 3", FieldDifference(field="badge", before=None, after=3)),
        ("data: {k: v}", FieldDifference(field="data.k", before=None, after="v")),
        ("priority: low", FieldDifference(field="priority", before="normal", after="low")),
        ("expires: 1h", FieldDifference(field="expires", before=86400.0, after=3600.0)),
        ("privacy: no_body", FieldDifference(field="privacy", before="none", after="no_body")),
    ],
)
def test_a_message_that_is_another_says_in_what(settings: str, difference: FieldDifference) -> None:
    (change,) = changes(
        "{name: a, send: [mail]}", f"{{name: a, send: [{{channel: mail, {settings}}}]}}"
    )
    assert (change.sign, change.channel, change.address) == ("~", "mail", MAIL)
    assert difference in change.differences


def test_two_messages_over_one_channel_are_paired_in_their_order() -> None:
    reminders = "{name: a, send: [{channel: room, title: 1}, {channel: room, title: 2}]}"
    (change,) = changes(reminders, "{name: a, send: [{channel: room, title: 1}]}")
    assert (change.sign, change.channel) == ("-", "room")
    assert changes(reminders, reminders) == []


def test_a_message_that_goes_later_says_by_how_much_and_unless_what() -> None:
    (change,) = changes(
        "{name: a, send: [room]}",
        "{name: a, send: [{channel: room, after: 10m, unless: {read: true}}]}",
    )
    told = {each.field: (each.before, each.after) for each in change.differences}
    assert told["due"] == (0.0, 600.0)
    assert told["unless"] == ("", "read")


def test_what_is_kept_back_does_not_go_out() -> None:
    muted = replace(ANN, opt_outs=frozenset({"mail"}))
    assert changes("{name: a, send: [mail]}", "{name: a, drop: true}", recipient=muted) == []


def test_only_what_is_rehearsed_is_known_of_calls() -> None:
    rules = "{name: a, send: [room]}"
    events = (call("cancelled"), replace(call(), id="n2"), replace(call(sessionId="s2"), id="n3"))
    rehearsal = Replay(rulebook(f"rules: [{rules}]"))
    assert [len(rehearsal.predict(each, ANN)) for each in events] == [1, 0, 1]


def test_one_message_for_all_is_foreseen_once() -> None:
    rehearsal = Replay(rulebook("rules: [{name: a, send: [{channel: room, once_per: message}]}]"))
    both = [replace(push(), id=id_) for id_ in ("n1", "n2")]
    assert [len(rehearsal.predict(each, ANN)) for each in both] == [1, 0]


def test_the_oldest_is_forgotten_and_the_newest_is_not() -> None:
    rules = "rules: [{name: a, send: [{channel: room, once_per: message}]}]"
    rehearsal = Replay(rulebook(rules), memory=2)
    for number in range(9):
        rehearsal.predict(replace(push(), id=f"n{number}", event=f"e{number}"), ANN)
    again = [replace(push(), id="again", event=event) for event in ("e0", "e8")]
    assert [len(rehearsal.predict(each, ANN)) for each in again] == [1, 0]


steps = st.lists(
    st.sampled_from(
        [
            "room",
            "mail",
            "{channel: app, title: X}",
            "{channel: mail, after: 5m, unless: {delivered: app}}",
            "app",
        ]
    ),
    min_size=1,
    max_size=3,
)


@given(steps, steps, st.sampled_from(SAMPLE_NAMES))
def test_the_same_rules_change_nothing_and_the_way_back_undoes_the_way(
    one: list[str], other: list[str], name: str
) -> None:
    told = notify(sample(name))
    person = replace(ANN, app_id=told.app_id, uid=told.uid)
    old, new = (
        Replay(rulebook(f"rules: [{{name: a, send: [{', '.join(way)}]}}]")).predict(told, person)
        for way in (one, other)
    )
    assert list(compare(old, old)) == []
    swapped: dict[str, Any] = {"-": "+", "+": "-", "~": "~"}
    there = {(swapped[c.sign], c.channel, c.address) for c in compare(old, new)}
    back = {(c.sign, c.channel, c.address) for c in compare(new, old)}
    assert there == back
    assert told.accepted_at == NOON


def test_what_takes_back_a_message_differs_from_one_that_is_sent() -> None:
    ring, end = call(), replace(call("ended"), id="n2")
    quiet = "{name: a, when: {callAction: initiated}, send: [app]}"
    loud = "{name: a, when: {type: call}, send: [app]}"
    difference = FieldDifference(field="operation", before="retract", after="send")
    found = changes(quiet, loud, ring, end)
    assert [change.sign for change in found] == ["~", "~"]
    assert all(difference in change.differences for change in found)
    gone = changes(
        quiet, quiet.replace("send: [app]", "send: [{channel: app, retract: false}]"), ring, end
    )
    assert [(change.sign, change.operation) for change in gone] == [("-", "retract")] * 2
