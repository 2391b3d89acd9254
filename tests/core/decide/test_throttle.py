"""What a throttle lets through, and what stands for the rest."""

from collections import Counter as Count
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.decide.evaluation import build_context
from router.core.decide.throttle import find_keys
from router.core.model.facts import Contact, Recipient
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.decision_sequence import Play
from tests.core.notifications import NOON, call, push
from tests.core.rulesets import ANN

DROP = "rules: [{name: chat, throttle: {max: 2, per: 1m}, send: [mail]}]"
SUMMARY = "rules: [{name: chat, throttle: {max: 2, per: 1m, overflow: summary}, send: [mail]}]"
ROOM = """
rules:
  - name: rooms
    throttle: {max: 1, per: 1m, by: conversation, overflow: summary}
    send: [{channel: room, once_per: message}]
"""
ENTITIES: Json = {"on": {"entity": {"id": "7"}}}


def change(action: str) -> Json:
    return {
        "id": "8",
        "category": "action",
        "type": "message",
        "data": {"action": action, "entities": ENTITIES},
    }


def test_so_many_pass_and_the_rest_is_throttled_until_the_window_closes() -> None:
    play = Play(DROP)
    for number, after in enumerate((0, 10, 20, 59.9, 60, 61, 62)):
        play.tag(number, after)
    assert play.ends() == [
        *("waiting", "waiting", "throttled", "throttled"),
        *("waiting", "waiting", "throttled"),
    ]


def test_recipients_are_told_apart_unless_the_file_says_otherwise() -> None:
    play = Play("rules: [{name: all, throttle: {max: 1, per: 1m}, send: [room]}]")
    for uid in ("ann", "cleo", "ann"):
        play.hear(push(uid, tag=uid))
    assert play.ends() == ["waiting", "waiting", "throttled"]


def test_fields_tell_windows_apart_as_they_are_written() -> None:
    by = "[recipient, conversation, custom.order]"
    play = Play(f"rules: [{{name: all, throttle: {{max: 1, per: 1m, by: {by}}}, send: [room]}}]")
    orders: list[Json] = [{"order": 7}, {"order": "7"}, {"order": 8}, {"order": [7]}, None]
    for number, custom in enumerate(orders):
        play.tag(number, custom=custom)
    play.tag(9, conversationId="group_x", custom={"order": 7})
    assert play.ends() == ["waiting", "throttled", "waiting", "waiting", "waiting", "waiting"]


def test_two_rules_have_windows_of_their_own_and_apps_too() -> None:
    two = "{max: 1, per: 1m}"
    play = Play(
        f"rules: [{{name: one, throttle: {two}, send: [room]}},"
        f" {{name: two, throttle: {two}, send: [mail]}}]"
    )
    assert [each.state for each in play.tag(1)] == ["waiting", "waiting"]
    other = replace(push(tag="2"), app_id="other")
    assert [each.state for each in play.hear(other)] == ["waiting", "suppressed"]
    assert [each.reason for each in play.tag(3)] == ["throttled", "throttled"]


def test_one_event_for_many_counts_once_where_they_share_a_window() -> None:
    play = Play("rules: [{name: all, throttle: {max: 2, per: 1m, by: sender}, send: [room]}]")
    for tag in ("1", "2", "3", "1"):
        for uid in ("ann", "cleo", "dan"):
            play.hear(push(uid, tag=tag))
    assert play.ends() == ["waiting"] * 6 + ["throttled"] * 3 + ["waiting"] * 3


def test_the_last_summary_stands_for_all_that_came_too_much() -> None:
    play = Play(SUMMARY)
    for number in range(5):
        play.tag(number, number)
    assert play.ends() == ["waiting", "waiting", "summary: n4-0", "summary: n5-0", "waiting"]
    (summary,) = play.summaries()
    assert (summary.count, summary.due_at) == (3, NOON + 60)
    assert summary.expires_at == NOON + 60 + 86400
    assert play.words(summary) == ("New notifications", "3 more notifications")


def test_a_summary_says_what_the_file_says() -> None:
    more = 'title: "{{ senderName }}: {{ count }}"'
    play = Play(
        "rules: [{name: chat, throttle: {max: 1, per: 1m, overflow: summary, "
        f"by: [recipient, conversation], {more}}}, send: [mail]}}]"
    )
    play.tag(1)
    (summary,) = play.tag(2)
    assert play.words(summary) == ("Bob: 1", "1 more notification")


def test_the_title_is_the_payloads_where_a_window_is_of_one_conversation() -> None:
    play = Play(ROOM)
    play.tag(1)
    (summary,) = play.tag(2, title="Bob in Sales")
    assert play.words(summary)[0] == "Bob in Sales"


def test_a_new_window_begins_its_summaries_anew() -> None:
    play = Play(SUMMARY)
    for number, after in enumerate((0, 1, 2, 60, 61, 62)):
        play.tag(number, after)
    assert [(each.id, each.count, each.due_at) for each in play.summaries()] == [
        ("n3-0", 1, NOON + 60),
        ("n6-0", 1, NOON + 120),
    ]


def test_every_place_of_every_step_has_a_summary_of_its_own() -> None:
    play = Play(
        "rules: [{name: all, throttle: {max: 1, per: 1m, overflow: summary}, "
        "send: [app, {channel: room, when: {tag: '3'}}, room, text]}]"
    )
    for number in (1, 2, 3):
        play.tag(number)
    found = [(each.step, each.address, each.count) for each in play.summaries()]
    assert found == [(0, "token-1", 2), (0, "token-2", 2), (1, "", 1), (2, "", 2)]
    assert [each.reason for each in play.deliveries.values() if each.channel == "text"] == [
        "no_contact"
    ] * 3


def test_recipients_have_summaries_of_their_own_of_a_window_they_share() -> None:
    mail = Contact(id="c9", kind="email", address="cleo@example.com")
    cleo = Recipient(app_id="app", uid="cleo", contacts=(mail,))
    play = Play(
        "rules: [{name: all, throttle: {max: 1, per: 1m, by: sender, overflow: summary}, "
        "send: [mail, room]}]",
        *(ANN, cleo),
    )
    for tag in ("1", "2", "3"):
        for uid in ("ann", "cleo"):
            play.hear(push(uid, tag=tag))
    found = Count({(each.address or each.channel): each.count for each in play.summaries()})
    assert found == {"ann@example.com": 2, "cleo@example.com": 2, "room": 4}


def test_a_room_hears_of_a_message_once_in_a_summary_too() -> None:
    play = Play(ROOM)
    for tag in ("1", "2", "3"):
        for uid in ("ann", "cleo", "dan"):
            play.hear(push(uid, tag=tag))
    (summary,) = play.summaries()
    assert (summary.id, summary.count) == ("n7-0", 2)
    assert play.ends() == [
        *("waiting", "once: n1-0", "once: n1-0"),
        *("summary: n7-0", "once: n4-0", "once: n4-0"),
        *("waiting", "once: n7-0", "once: n7-0"),
    ]


def test_what_must_not_be_held_back_is_not_counted_either() -> None:
    play = Play("rules: [{name: all, throttle: {max: 1, per: 1m}, send: [app]}]")
    for notification in (
        call("ended"),
        push(tag="7", message=change("deleted")),
        call("initiated", sessionId="s2"),
        call("cancelled", sessionId="s2"),
    ):
        assert {each.state for each in play.hear(notification)} == {"waiting"}
    assert {each.reason for each in play.tag(1)} == {"throttled"}


@pytest.mark.parametrize(("retract", "count"), [("true", 0), ("false", 1)])
def test_an_edit_is_no_news_for_a_summary_unless_it_is_a_message(retract: str, count: int) -> None:
    step = f"{{channel: app, retract: {retract}}}"
    summary = "{max: 1, per: 1m, overflow: summary}"
    play = Play(f"rules: [{{name: all, throttle: {summary}, send: [{step}]}}]")
    play.tag(1)
    edits = play.tag(7, message=change("edited"))
    assert {each.count for each in edits} == {count}
    assert {each.reason for each in edits} == {"" if count else "throttled"}


def test_what_is_too_old_is_a_dead_letter_and_not_throttled() -> None:
    play = Play("rules: [{name: all, throttle: {max: 1, per: 1m}, send: [room]}]")
    play.tag(1)
    (late,) = play.tag(2, 5, sentAt=str(int((NOON - 86399) * 1000)))
    assert late.state == "expired"


def test_a_summary_has_no_key_at_the_provider_where_the_step_has_none() -> None:
    rules = "rules: [{name: all, throttle: {max: 1, per: 1m, overflow: summary}, send: [%s]}]"
    for step, has_key in (("room", True), ("{channel: room, collapse: none}", False)):
        play = Play(rules % step)
        play.tag(1)
        (summary,) = play.tag(2)
        assert summary.about.startswith("summary:")
        assert summary.collapse == (summary.about if has_key else "")


def keys(notification: Notification, play: Play) -> Iterator[str]:
    subject = build_context(notification, play.ruleset, play.facts, NOON).subject
    return find_keys(subject, play.ruleset)


@pytest.mark.parametrize("by", ["recipient", "sender"])
def test_the_keys_that_are_looked_up_are_those_that_move(by: str) -> None:
    throttle = f"{{max: 1, per: 1m, by: {by}, overflow: summary}}"
    play = Play(
        f"rules: [{{name: one, throttle: {throttle}, send: [mail]}}, {{name: plain, send: [room]}},"
        f" {{name: other, when: {{type: call}}, throttle: {throttle}, send: [app]}}]"
    )
    found = set(keys(push(), play))
    play.tag(1)
    play.tag(2)
    assert set(play.facts.counters) == found
    assert not set(keys(call("ended"), play))


def test_nobody_can_read_an_address_in_a_counter() -> None:
    play = Play(SUMMARY)
    for number in range(4):
        play.tag(number)
    assert play.facts.counters
    assert "ann" not in repr(play.facts.counters)


BURST = st.lists(
    st.tuples(
        st.sampled_from(["ann", "cleo"]),
        st.sampled_from(["a", "b"]),
        st.floats(0, 40, allow_nan=False),
    ),
    max_size=40,
)


@given(BURST, st.integers(1, 3), st.booleans())
def test_no_window_lets_more_through_and_every_notification_is_accounted_for(
    burst: Sequence[tuple[str, str, float]], most: int, is_summary: bool
) -> None:
    overflow = "summary" if is_summary else "drop"
    play = Play(
        f"rules: [{{name: all, throttle: {{max: {most}, per: 1m, by: [recipient, conversation], "
        f"overflow: {overflow}}}, send: [room]}}]"
    )
    now, opened = 0.0, dict[tuple[str, str], tuple[float, int]]()
    too_many = 0
    for number, (uid, conversation, pause) in enumerate(burst):
        now += pause
        (planned,) = play.hear(push(uid, tag=str(number), conversationId=conversation), now)
        began, count = opened.get((uid, conversation), (float("-inf"), 0))
        if now >= began + 60:
            began, count = now, 0
        opened[uid, conversation] = began, count + 1
        is_held = count >= most
        assert (planned.reason == "throttled" or planned.count > 0) is is_held
        too_many += is_held
    waiting = [each for each in play.deliveries.values() if each.state == "waiting"]
    ordinary = sum(not each.count for each in waiting)
    assert ordinary + too_many == len(burst)
    assert sum(each.count for each in waiting) == (too_many if is_summary else 0)
    ended = [each for each in play.deliveries.values() if each.reason.startswith("summary: ")]
    assert all(each.reason.removeprefix("summary: ") in play.deliveries for each in ended)
