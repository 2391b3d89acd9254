import json
from typing import Any

import pytest

from router.core.model.notification import DAY_S, MINUTE_S, read_time
from router.core.model.payload import Json
from router.samples import SAMPLE_NAMES
from tests import TESTDATA
from tests.core.notifications import NOON, call, digest, notify, push, sample

KINDS = json.loads((TESTDATA / "kinds.json").read_text("utf-8"))


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case["sample"])
def test_a_sample_is_of_the_kind_in_the_table(case: dict[str, Any]) -> None:
    notification = notify(sample(case["sample"]))
    told = {key: getattr(notification, key) for key in case if key != "sample"}
    assert told == {key: value for key, value in case.items() if key != "sample"}


def test_the_table_names_every_sample() -> None:
    assert sorted(case["sample"] for case in KINDS) == sorted(SAMPLE_NAMES)


def action(name: Json, type: Json = "message") -> Json:  # noqa: A002 - the field's name
    return {"category": "action", "type": type, "data": {"action": name}}


@pytest.mark.parametrize(
    ("details", "kind", "guessed"),
    [
        ({}, "message", True),
        ({"type": "call", "message": action("edited")}, "call", False),
        ({"type": ["call"]}, "message", True),
        ({"message": action("edited")}, "edit", False),
        ({"message": action("deleted")}, "delete", False),
        ({"message": action("pinned")}, "message", False),
        ({"message": action(["edited"])}, "message", False),
        ({"message": action("joined", "groupMember")}, "group_action", False),
        ({"message": action("edited", "other")}, "message", False),
        ({"message": {"category": "action", "type": "message", "data": 3}}, "message", False),
        ({"message": {"category": ["action"]}}, "message", False),
        ({"message": {"category": "custom", "type": "meeting"}}, "message", False),
        ({"message": {}}, "message", True),
        ({"message": "text"}, "message", True),
        ({"receiverType": "group", "receiver": "g", "tag": "g"}, "group_action", True),
        ({"receiverType": "group", "receiver": 7, "tag": "7"}, "group_action", True),
        ({"receiverType": "user", "receiver": "g", "tag": "g"}, "message", True),
        ({"receiverType": "group", "receiver": None, "tag": None}, "message", True),
        ({"receiverType": {}, "receiver": {}, "tag": []}, "message", True),
        ({"body": "Reacted to your message: 😎"}, "reaction", True),
        ({"body": ["Reacted to "]}, "message", True),
    ],
)
def test_the_kind_is_the_first_that_holds(
    details: dict[str, Json],
    kind: str,
    guessed: bool,
) -> None:
    notification = push(**details)
    assert (notification.kind, notification.guessed) == (kind, guessed)


@pytest.mark.parametrize("feed", ["email", "sms"])
def test_what_comes_by_email_or_sms_is_a_digest(feed: str) -> None:
    notification = digest(feed)
    assert (notification.kind, notification.guessed, notification.details) == ("digest", False, {})


@pytest.mark.parametrize(
    ("data", "conversation"),
    [
        ({}, "ann_user_bob"),
        ({"senderDetails": {"uid": "aaron"}}, "aaron_user_ann"),
        ({"senderDetails": None, "groupDetails": {"guid": "hiking"}}, "group_hiking"),
        ({"senderDetails": None}, ""),
        ({"senderDetails": ["bob"], "groupDetails": "g"}, ""),
        ({"senderDetails": {"uid": "b" * 5000}}, "ann_user_" + "b" * 591),
        ({"groupDetails": {"guid": "g" * 5000}}, "group_" + "g" * 594),
    ],
)
def test_the_conversation_of_a_digest_is_put_together(
    data: dict[str, Json], conversation: str
) -> None:
    assert digest(**data).conversation == conversation


def test_the_conversation_of_a_push_is_the_payloads() -> None:
    assert push(conversationId="c1").conversation == "c1"
    assert push(conversationId="c" * 5000).conversation == "c" * 600
    assert push(conversationId=None).conversation == ""


@pytest.mark.parametrize(
    ("parent", "is_reply"),
    [("12", True), (12, True), (None, False), ("", False), ("0", False), (0, False), ([], False)],
)
def test_a_reply_has_a_parent(parent: Json, is_reply: bool) -> None:
    assert push(message={"category": "message", "parentId": parent}).reply is is_reply


@pytest.mark.parametrize(
    ("data", "is_mention"),
    [
        ({"mentions": {"ann": {}}, "text": "x"}, True),
        ({"mentions": {"bob": {}}, "text": "hi <@uid:bob>"}, False),
        ({"mentions": ["ann"], "text": "hi"}, False),
        ({"text": "hello <@all:everyone>"}, True),
        ({"text": "hello @all"}, True),
        ({"text": "me@allied.example"}, False),
        ({"text": ["@all"]}, False),
        ("text", False),
    ],
)
def test_a_mention_names_the_recipient_or_all(data: Json, is_mention: bool) -> None:
    assert push(message={"category": "message", "data": data}).mention is is_mention


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1741847453000", 1741847453.0),
        (1741847453000, 1741847453.0),
        (1741847453000.0, 1741847453.0),
        ("", None),
        ("soon", None),
        ("1" * 21, None),
        (None, None),
        (True, None),
        (0, None),
        (-5, None),
        (10**26, None),
        ([1], None),
    ],
)
def test_a_time_is_milliseconds_as_number_or_text(value: Json, seconds: float | None) -> None:
    assert read_time(value) == seconds


@pytest.mark.parametrize(
    ("sent", "occurred"),
    [
        (NOON - 60, NOON - 60),
        (NOON - DAY_S, NOON - DAY_S),
        (NOON - DAY_S - 1, NOON),
        (NOON + 5 * MINUTE_S, NOON + 5 * MINUTE_S),
        (NOON + 5 * MINUTE_S + 1, NOON),
    ],
)
def test_a_time_of_sending_counts_if_it_is_believable(sent: float, occurred: float) -> None:
    assert push(sentAt=str(int(sent * 1000))).occurred_at == occurred


def test_without_a_time_of_sending_arrival_counts() -> None:
    assert push(sentAt=None).occurred_at == NOON
    assert digest().occurred_at == NOON


def test_a_notification_holds_what_makes_the_payload_again() -> None:
    notification = call()
    assert notification.details["sessionId"] == "s1"
    assert notification.data["notificationDetails"] is notification.details
    assert (notification.feed, notification.app_id, notification.region) == ("push", "app", "eu")
