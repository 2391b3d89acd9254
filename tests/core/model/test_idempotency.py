import pytest

from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.notifications import call, digest, envelope, notify, push

NAMED: dict[str, Json] = {"uid": "bob", "name": "Bob", "avatar": "a.png"}


def told(entity: Json, **others: Json) -> Notification:
    return push(message={"id": "7", "data": {"entities": {"sender": {"entity": entity}}}}, **others)


@pytest.mark.parametrize(
    "other",
    [
        told(NAMED, unreadMessageCount=3),
        told(NAMED, senderName="Robert", receiverName="Anna"),
        told(NAMED, senderAvatar="b.png", receiverAvatar=None),
        told({**NAMED, "name": "Robert", "avatar": None}),
        told({"uid": "bob"}),
    ],
)
def test_counters_avatars_and_names_make_no_new_event(other: Notification) -> None:
    first = told(NAMED)
    assert (other.event, other.key) == (first.event, first.key)


@pytest.mark.parametrize(
    "other",
    [
        push(tag="8"),
        push(body="hello!"),
        push(type="call"),
        push(sentAt="1741867200001"),
        push(custom={"name": "x"}),
        push(message={"id": "7"}),
        notify(
            envelope({"to": {"uid": "ann"}, "notificationDetails": dict(push().details)}, appId="b")
        ),
        digest(),
    ],
)
def test_anything_else_makes_another_event(other: Notification) -> None:
    assert other.event != push().event
    assert other.key != push().key


def test_what_the_team_put_into_custom_counts_as_it_stands() -> None:
    assert push(custom=NAMED).event != push(custom={**NAMED, "name": "Robert"}).event


def test_a_name_of_no_user_or_group_counts() -> None:
    file: dict[str, Json] = {"name": "map.png"}
    assert told(file).event != told({"name": "plan.png"}).event


def test_the_notifications_of_one_event_share_it_and_not_the_key() -> None:
    ann, cleo = push("ann"), push("cleo")
    assert ann.event == cleo.event
    assert ann.key != cleo.key


def test_a_call_and_its_end_are_two_events() -> None:
    assert call("initiated").event != call("ended").event


def test_the_order_of_keys_makes_no_difference() -> None:
    data: dict[str, Json] = {
        "to": {"uid": "ann"},
        "notificationDetails": {"a": 1, "b": {"c": 2, "d": 3}},
    }
    turned: dict[str, Json] = {
        "notificationDetails": {"b": {"d": 3, "c": 2}, "a": 1},
        "to": {"uid": "ann"},
    }
    assert notify(envelope(data)).key == notify(envelope(turned)).key


def test_a_digest_of_other_messages_is_another_event() -> None:
    named = digest(senderDetails={"uid": "bob", "name": "Robert", "avatar": "x"})
    assert named.event == digest().event
    assert digest(messages=[]).event != digest().event
    assert digest("sms").event != digest("email").event


def test_the_address_that_a_feed_brings_makes_no_new_event() -> None:
    moved = digest(to={"uid": "ann", "email": "new@example.com"})
    assert (moved.event, moved.key) == (digest().event, digest().key)
