import pytest

from router.core.model.notification import Notification
from router.core.model.privacy import generic_title, redact_notification
from router.core.model.types import Privacy
from tests.core.notifications import call, digest, notify, push, sample

CHAT = push(
    body="SECRET",
    custom={"a": "SECRET"},
    message={"data": {"text": "SECRET"}},
    richText="SECRET",
    unreadMessageCount=3,
)


def test_without_privacy_nothing_is_kept_back() -> None:
    assert redact_notification(CHAT, "none") is CHAT


def test_no_body_lets_through_what_an_app_needs_to_find_its_way() -> None:
    told = redact_notification(CHAT, "no_body")
    assert told.details == {
        key: part
        for key, part in CHAT.details.items()
        if key not in {"body", "custom", "message", "richText"}
    }
    assert told.data == {"to": {"uid": "ann"}, "notificationDetails": told.details}
    assert (told.id, told.kind, told.key) == (CHAT.id, CHAT.kind, CHAT.key)


def test_no_content_lets_ids_through_alone() -> None:
    told = redact_notification(CHAT, "no_content")
    assert told.details == {
        "sender": "bob",
        "receiver": "ann",
        "receiverType": "user",
        "tag": "7",
        "conversationId": "ann_user_bob",
        "type": "chat",
        "sentAt": CHAT.details["sentAt"],
        "unreadMessageCount": 3,
    }


@pytest.mark.parametrize("privacy", ["no_body", "no_content"])
def test_a_private_call_can_still_be_answered(privacy: Privacy) -> None:
    told = redact_notification(call(callType="video"), privacy)
    assert told.details["sessionId"] == "s1"
    assert told.details["callAction"] == "initiated"
    assert told.details["callType"] == "video"


@pytest.mark.parametrize("feed", ["email", "sms"])
def test_a_digest_keeps_its_texts_back(feed: str) -> None:
    told = digest(
        feed,
        subject="From Bob",
        smsContent="Bob says",
        groupDetails={"guid": "g", "name": "Hiking"},
    )
    bodiless = redact_notification(told, "no_body").data
    assert bodiless == {
        "to": {"uid": "ann"},
        "subject": "From Bob",
        "senderDetails": {"uid": "bob", "name": "Bob"},
        "groupDetails": {"guid": "g", "name": "Hiking"},
    }
    assert redact_notification(told, "no_content").data == {
        "to": {"uid": "ann"},
        "senderDetails": {"uid": "bob"},
        "groupDetails": {"guid": "g"},
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("push_chat_one_on_one_message_and_custom", ["Andrew", "hello", "assets"]),
        ("push_chat_message_edited", ["Andrew", "hello"]),
        ("email_one_on_one_message_objects", ["Susan", "weekend", "assets"]),
        ("sms_group", ["Hiking", "Hello all", "received"]),
    ],
)
def test_no_content_of_a_sample_names_nobody_and_nothing(name: str, words: list[str]) -> None:
    notification: Notification = notify(sample(name))
    told = redact_notification(notification, "no_content")
    assert not [word for word in words if word in str(told)]


def test_the_end_of_a_call_counts_for_nobody_else() -> None:
    ended = call("ended", unreadMessageCount=3)
    told = generic_title(ended)
    assert told.details == {k: p for k, p in ended.details.items() if k != "unreadMessageCount"}
