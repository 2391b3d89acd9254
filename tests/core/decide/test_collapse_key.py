import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.decide.collapse_key import MAX_KEY_LENGTH, collapse_key, topic_key
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.notifications import call, digest, notify, push, sample


def action(name: str) -> Json:
    entities: Json = {"on": {"entity": {"id": "7"}}}
    return {
        "id": "8",
        "category": "action",
        "type": "message",
        "data": {"action": name, "entities": entities},
    }


MESSAGE = push(tag="7")


@pytest.mark.parametrize(
    "other",
    [
        push(tag=7),
        push(tag=None, message={"id": "7", "category": "message"}),
        push(tag="other", message=action("edited")),
        push(tag="other", message=action("deleted")),
        push(
            tag="7", message={"category": "action", "type": "message", "data": {"action": "edited"}}
        ),
    ],
)
def test_a_message_and_what_becomes_of_it_share_a_key(other: Notification) -> None:
    assert topic_key(other) == topic_key(MESSAGE)


@pytest.mark.parametrize(
    "other",
    [
        push(tag="8"),
        push(tag="7", conversationId="group_x"),
        msgspec.structs.replace(push(tag="7"), app_id="other"),
        push(tag="7", body="Reacted to your message: x"),
        call(),
        digest(),
    ],
)
def test_another_message_has_another_key(other: Notification) -> None:
    assert topic_key(other) != topic_key(MESSAGE)


def test_the_edit_of_the_samples_replaces_the_message_with_its_tag() -> None:
    edit = notify(sample("push_chat_message_edited"))
    assert topic_key(edit).startswith("message:")
    assert edit.kind == "edit"


def test_the_events_of_a_call_share_the_sessions_key() -> None:
    assert topic_key(call("initiated")) == topic_key(call("ended")) == "call:app:s1"
    assert topic_key(call("initiated", sessionId="s2")) == "call:app:s2"


def test_a_call_without_a_session_stands_alone() -> None:
    assert topic_key(call("ended", sessionId=None)) != topic_key(call("initiated", sessionId=None))


def test_the_digests_of_a_conversation_share_a_key() -> None:
    assert topic_key(digest("sms", messages=[])) == topic_key(digest("email"))
    assert (
        topic_key(digest("sms", groupDetails={"guid": "g"}, senderDetails=None))
        == "digest:app:group_g"
    )


def test_every_group_action_has_its_own() -> None:
    joined = push(receiverType="group", receiver="g", tag="g", body="Bob has joined")
    left = push(receiverType="group", receiver="g", tag="g", body="Bob has left")
    assert joined.kind == left.kind == "group_action"
    assert topic_key(joined) != topic_key(left)
    again = msgspec.structs.replace(joined, id="n2", uid="cleo")
    assert topic_key(joined) == topic_key(again)


def test_a_message_without_any_id_stands_alone() -> None:
    first, second = push(tag=None, body="a"), push(tag=None, body="b")
    assert topic_key(first) != topic_key(second)


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_key_fits_every_provider(conversation: str, tag: str) -> None:
    key = topic_key(push(conversationId=conversation, tag=tag))
    assert len(key.encode()) <= MAX_KEY_LENGTH


def test_a_long_key_becomes_a_short_one_of_its_own() -> None:
    long, other = (topic_key(push(tag=letter * 200)) for letter in "ab")
    assert len(long.encode()) <= MAX_KEY_LENGTH
    assert long != other
    assert long == topic_key(push(tag="a" * 200))


def test_a_step_says_what_a_later_message_replaces() -> None:
    about = topic_key(MESSAGE)
    assert collapse_key("message", MESSAGE, about, "burst") == about
    assert collapse_key("none", MESSAGE, about, "burst") == ""
    assert collapse_key("throttle", MESSAGE, about, "burst") == "burst"
    assert collapse_key("throttle", MESSAGE, about, "") == about
    whole = collapse_key("conversation", MESSAGE, about, "")
    other = push(tag="8")
    assert whole == collapse_key("conversation", other, topic_key(other), "")
    assert whole.startswith("conversation:")
    nowhere = push(conversationId=None)
    assert collapse_key("conversation", nowhere, "x", "") == "x"
