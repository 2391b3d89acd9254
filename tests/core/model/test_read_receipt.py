"""What CometChat's general webhooks say."""

from pathlib import Path

import msgspec
import pytest

from router.core.errors import PayloadError
from router.core.model.feed import TRIGGERS
from router.core.model.payload import Json
from router.core.model.read_receipt import ReadReceipt, read_event
from tests import TESTDATA
from tests.core.notifications import sample

GENERAL = TESTDATA / "general"


def told(data: Json, **around: Json) -> ReadReceipt:
    body = {"trigger": "message_read_receipt", "webhook": "w", "appId": "app", "data": data}
    receipt = read_event(msgspec.json.encode(body | around)).receipt
    assert receipt is not None
    return receipt


def bob(**data: Json) -> dict[str, Json]:
    return {"messageId": "11", "user": {"uid": "bob"}, **data}


@pytest.mark.parametrize("file", sorted(GENERAL.glob("*.json")), ids=lambda file: file.stem)
def test_every_event_is_read_and_only_a_read_receipt_is_of_use(file: Path) -> None:
    if file.stem == "payload_of_another_webhook":
        with pytest.raises(PayloadError, match="send it to /webhook"):
            read_event(file.read_bytes())
        return
    event = read_event(file.read_bytes())
    assert (event.receipt is not None) == file.stem.startswith("message_read_receipt")


def test_a_receipt_tells_who_read_what_and_when() -> None:
    plain = read_event((GENERAL / "message_read_receipt.json").read_bytes()).receipt
    nested = read_event((GENERAL / "message_read_receipt_in_a_group.json").read_bytes()).receipt
    assert plain == ReadReceipt(
        app_id="app-1", uid="uid-2", conversation="", message="11", read_at=1735000050.0
    )
    assert nested == ReadReceipt(
        app_id="app-1",
        uid="uid-2",
        conversation="group_group-1",
        message="57",
        read_at=1696934912.0,
    )


@pytest.mark.parametrize(
    ("data", "conversation"),
    [
        ({"conversationId": "x"}, "x"),
        ({"body": {"conversationId": "y", "messageId": 3, "user": {"uid": "bob"}}}, "y"),
        ({"receiverType": "user", "receiver": "ann", "sender": "bob"}, "ann_user_bob"),
        ({"receiverType": "user", "receiver": "bob", "messageSender": "zoe"}, "bob_user_zoe"),
        ({"receiverType": "user", "receiver": "bob", "sender": "bob"}, ""),
        ({"receiverType": "group"}, ""),
        ({}, ""),
    ],
)
def test_the_conversation_is_told_or_worked_out(data: dict[str, Json], conversation: str) -> None:
    assert told(bob(**data)).conversation == conversation


def test_the_sender_of_a_receipt_is_who_read() -> None:
    assert told({"messageId": 12, "sender": "bob"}).uid == "bob"


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        (1735000050, 1735000050.0),
        ("1735000050", 1735000050.0),
        (1735000050123, 1735000050.123),
        ("soon", None),
        (None, None),
        (-1, None),
        (1e30, None),
        ("nan", None),
    ],
)
def test_the_time_is_in_seconds_or_milliseconds(at: Json, seconds: float | None) -> None:
    assert told(bob(readAt=at)).read_at == seconds


@pytest.mark.parametrize(
    ("message", "number"), [("11", 11), (12, 12), ("m-1", 0), ("9" * 19, 0), ("\u0661", 0)]
)
def test_a_message_has_a_number_if_its_id_is_one(message: Json, number: int) -> None:
    assert told(bob(messageId=message)).number == number


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"[]", "$"),
        (b"{}", "$.trigger"),
        (b'{"trigger": ""}', "$.trigger"),
        *((b'{"trigger": "%s"}' % trigger.encode(), "$.trigger") for trigger in TRIGGERS),
        (sample("push_chat_one_on_one"), "$.trigger"),
        (b'{"trigger": "message_read_receipt"}', "$.data"),
        (b'{"trigger": "message_read_receipt", "data": {"messageId": 1}}', "$.data.user.uid"),
        (b'{"trigger": "message_read_receipt", "data": {"sender": "a"}}', "$.data.messageId"),
        (
            b'{"trigger": "message_read_receipt", "data": {"sender": "a", "messageId": "%s"}}'
            % (b"9" * 121),
            "$.data.messageId",
        ),
    ],
)
def test_what_is_no_event_is_refused_with_its_place(body: bytes, path: str) -> None:
    with pytest.raises(PayloadError) as refused:
        read_event(body)
    assert refused.value.path == path
