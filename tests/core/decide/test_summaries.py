"""Who a summary is of: the first of a window, and how many others came after."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.decide.throttle import MAX_PEOPLE
from router.core.model.facts import Contact, Recipient
from router.core.model.notification import Notification, derive
from router.core.model.payload import Json, decode
from tests.core.decision_sequence import Play
from tests.core.notifications import NOON, call, envelope, push
from tests.core.plugin_schemas import load_text
from tests.core.rulesets import ANN, CHANNELS

WORDS = "title: '{{ first }}+{{ others }}', body: '{{ count }} more'"


def fold(by: str = "[recipient, conversation]", step: str = "room", most: int = 1) -> str:
    return (
        f"rules: [{{name: reactions, throttle: {{max: {most}, per: 5m, by: {by}, "
        f"overflow: summary, {WORDS}}}, send: [{step}]}}]"
    )


def reaction(sender: str, number: int, **details: Json) -> Notification:
    named = {"sender": sender, "senderName": sender.capitalize(), "tag": str(number)}
    return push("ann", body="Reacted to your message: 👍", **{**named, **details})


def titles(play: Play) -> list[str]:
    return [play.words(each)[0] for each in play.summaries()]


def test_a_summary_names_the_first_and_counts_the_others() -> None:
    play = Play(fold())
    for number, sender in enumerate(("ana", "bo", "cleo", "dan", "eve")):
        play.hear(reaction(sender, number), number)
    (summary,) = play.summaries()
    assert play.words(summary) == ("Ana+4", "4 more")
    assert summary.due_at == NOON + 300


def test_one_person_who_reacts_five_times_is_one() -> None:
    play = Play(fold())
    for number, sender in enumerate(("ana", "ana", "bo", "ana", "bo", "bo")):
        play.hear(reaction(sender, number), number)
    assert titles(play) == ["Ana+1"]
    alone = Play(fold())
    for number in range(5):
        alone.hear(reaction("ana", number), number)
    assert titles(alone) == ["Ana+0"]


def test_those_whose_reactions_were_shown_are_counted_too() -> None:
    play = Play(fold(most=3))
    for number, sender in enumerate(("ana", "bo", "cleo", "ana", "dan")):
        play.hear(reaction(sender, number), number)
    assert titles(play) == ["Ana+3"]


def test_a_new_window_begins_with_its_own_first() -> None:
    play = Play(fold())
    for number, (sender, after) in enumerate((("ana", 0), ("bo", 1), ("cleo", 300), ("dan", 301))):
        play.hear(reaction(sender, number), after)
    assert titles(play) == ["Ana+1", "Cleo+1"]


def test_a_field_that_tells_the_message_folds_by_message() -> None:
    play = Play(fold("[recipient, conversation, custom.messageId]"))
    for number, (sender, message) in enumerate((("ana", "7"), ("bo", "8"), ("cleo", "7"))):
        play.hear(reaction(sender, number, custom={"messageId": message}), number)
    assert titles(play) == ["Ana+1"]


def test_steps_are_counted_for_what_came_to_them() -> None:
    play = Play(fold(step="room, {channel: mail, when: {custom.loud: true}}"))
    for number, sender in enumerate(("ana", "bo", "cleo", "dan")):
        play.hear(reaction(sender, number, custom={"loud": number in (0, 3)}), number)
    assert {each.channel: play.words(each)[0] for each in play.summaries()} == {
        "room": "Ana+3",
        "mail": "Ana+1",
    }


def test_who_shares_a_window_hears_of_the_same_people() -> None:
    mail = Contact(id="c9", kind="email", address="cleo@example.com")
    cleo = Recipient(app_id="app", uid="cleo", contacts=(mail,))
    play = Play(fold("conversation", "mail"), ANN, cleo)
    for number, sender in enumerate(("ana", "bo", "dan")):
        for uid in ("ann", "cleo"):
            told = reaction(sender, number)
            play.hear(push(uid, **told.details), number)
    assert titles(play) == ["Ana+2", "Ana+2"]


def test_nobody_is_named_where_privacy_keeps_the_names_back() -> None:
    for privacy, title in (("no_body", "Ana+1"), ("no_content", "New notification")):
        play = Play(fold(step=f"{{channel: room, privacy: {privacy}}}"))
        for number, sender in enumerate(("ana", "bo")):
            play.hear(reaction(sender, number), number)
        assert titles(play) == [title]


def test_digests_are_of_whoever_wrote_last() -> None:
    play = Play(fold("recipient"))
    for number, name in enumerate(("Ana", "Bo", "")):
        data: Json = {
            "to": {"uid": "ann", "name": "Ann"},
            "messages": [{"message": str(number)}],
            "subject": f"s{number}",
            **({"senderDetails": {"uid": name.lower(), "name": name}} if name else {}),
        }
        body = envelope(data, "email")
        play.hear(derive(decode(body), id="n", accepted_at=NOON + 60 * number), 60 * number)
    assert titles(play) == ["Ana+1"]


def test_what_is_shown_and_the_summary_replace_each_other_where_the_step_says_so() -> None:
    play = Play(fold(step="{channel: room, collapse: throttle}"))
    for number, (sender, after) in enumerate((("ana", 0), ("bo", 1), ("cleo", 300))):
        play.hear(reaction(sender, number), after)
    first, summary, later = play.deliveries.values()
    assert first.collapse == summary.collapse
    assert first.collapse.startswith("burst:")
    assert len(first.collapse.encode()) <= 64
    assert later.collapse not in {"", first.collapse}
    other = Play(fold(step="room"))
    one, two = (other.hear(reaction(name, n))[0] for n, name in enumerate(("ana", "bo")))
    assert one.collapse != two.collapse


def test_what_no_throttle_counts_keeps_a_key_of_its_own() -> None:
    play = Play(fold(step="{channel: app, collapse: throttle}"))
    assert {each.collapse for each in play.hear(call("ended"))} == {"call:app:s1"}


def test_a_rule_without_a_throttle_has_nothing_to_collapse_by() -> None:
    loaded = load_text(
        CHANNELS + "rules: [{name: all, send: [{channel: app, collapse: throttle}]}]"
    )
    (problem,) = (each for each in loaded.problems if each.severity == "error")
    assert problem.message == 'rule all has no throttle for "collapse: throttle" to go by'


@pytest.mark.parametrize("count", [MAX_PEOPLE - 1, MAX_PEOPLE, MAX_PEOPLE + 5])
def test_so_many_people_are_told_apart_and_no_more(count: int) -> None:
    play = Play(fold())
    for number in range(count):
        play.hear(reaction(f"p{number}", number), 0)
    assert titles(play) == [f"P0+{min(count, MAX_PEOPLE) - 1}"]
    (counter,) = play.facts.counters.values()
    assert len(counter.people) <= MAX_PEOPLE
    assert "p17" not in repr(counter), "people are kept as marks"


SENDERS = st.sampled_from(["ana", "bo", "cleo", "dan"])
BURST = st.lists(st.tuples(SENDERS, st.floats(0, 120, allow_nan=False)), max_size=30)


@given(BURST, st.integers(1, 3))
def test_every_summary_counts_the_people_of_its_window(
    burst: Sequence[tuple[str, float]], most: int
) -> None:
    play = Play(fold(most=most))
    windows: list[list[str]] = []
    now, closes_at = 0.0, float("-inf")
    for number, (sender, pause) in enumerate(burst):
        now += pause
        if now >= closes_at:
            closes_at = now + 300
            windows.append([])
        windows[-1].append(sender)
        told = reaction(sender, number)
        play.hear(replace(told, sent_at=NOON + now, accepted_at=NOON + now), now)
    expected = [
        f"{people[0].capitalize()}+{len(set(people)) - 1}"
        for people in windows
        if len(people) > most
    ]
    assert titles(play) == expected
