import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.core.model.topic import MAX_TOPIC_BYTES
from tests.core.notifications import call, digest, envelope, notify, push, sample


def action(name: str) -> Json:
    entities: Json = {"on": {"entity": {"id": "7"}}}
    return {
        "id": "8",
        "category": "action",
        "type": "message",
        "data": {"action": name, "entities": entities},
    }


MESSAGE = push(tag="7")
IN_ANOTHER_APP = notify(
    envelope({"to": {"uid": "ann"}, "notificationDetails": MESSAGE.details}, appId="other")
)


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
    assert other.topic == MESSAGE.topic


@pytest.mark.parametrize(
    "other",
    [
        push(tag="8"),
        push(tag="7", conversationId="group_x"),
        IN_ANOTHER_APP,
        push(tag="7", body="Reacted to your message: x"),
        call(),
        digest(),
    ],
)
def test_another_message_has_another_key(other: Notification) -> None:
    assert other.topic != MESSAGE.topic


def test_the_edit_of_the_samples_replaces_the_message_with_its_tag() -> None:
    edit = notify(sample("push_chat_message_edited"))
    assert edit.topic.startswith("message:")
    assert edit.kind == "edit"


def test_the_events_of_a_call_share_the_sessions_key() -> None:
    assert call("initiated").topic == call("ended").topic == "call:app:s1"
    assert call("initiated", sessionId="s2").topic == "call:app:s2"


def test_a_call_without_a_session_stands_alone() -> None:
    assert call("ended", sessionId=None).topic != call("initiated", sessionId=None).topic


def test_the_digests_of_a_conversation_share_a_key() -> None:
    assert digest("sms", messages=[]).topic == digest("email").topic
    assert (
        digest("sms", groupDetails={"guid": "g"}, senderDetails=None).topic == "digest:app:group_g"
    )


def test_every_group_action_has_its_own() -> None:
    joined = push(receiverType="group", receiver="g", tag="g", body="Bob has joined")
    left = push(receiverType="group", receiver="g", tag="g", body="Bob has left")
    assert joined.kind == left.kind == "group_action"
    assert joined.topic != left.topic
    again = msgspec.structs.replace(joined, id="n2", uid="cleo")
    assert joined.topic == again.topic


def test_a_message_without_any_id_stands_alone() -> None:
    first, second = push(tag=None, body="a"), push(tag=None, body="b")
    assert first.topic != second.topic


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_key_fits_every_provider(conversation: str, tag: str) -> None:
    key = push(conversationId=conversation, tag=tag).topic
    assert len(key.encode()) <= MAX_TOPIC_BYTES


def test_a_long_key_becomes_a_short_one_of_its_own() -> None:
    long, other = (push(tag=letter * 200).topic for letter in "ab")
    assert len(long.encode()) <= MAX_TOPIC_BYTES
    assert long != other
    assert long == push(tag="a" * 200).topic
