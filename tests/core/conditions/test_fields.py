import pytest

from router.core.conditions.condition import ConditionSubject
from router.core.conditions.fields import FIELDS, find_field, split_path, suggest_field
from router.core.conditions.hours import Calendar
from router.core.model.facts import Recipient
from router.core.model.notification import derive
from router.core.model.payload import Json, decode
from tests.core.condition_subjects import NOW, make_subject
from tests.core.conditions_from_yaml import read_when
from tests.core.named_hours import HOURS
from tests.core.notifications import sample


def read(name: str, subject: ConditionSubject) -> Json:
    field = find_field(name)
    assert field is not None
    return field.read(subject)


def take_sample(name: str) -> ConditionSubject:
    notification = derive(decode(sample(name)), id="n-1", accepted_at=NOW)
    recipient = Recipient(
        app_id="", uid="", attributes={"tier": "gold", "plan.size": 3}, locale="de"
    )
    now = 1741847463.0
    return ConditionSubject(
        notification=notification,
        recipient=recipient,
        vars={},
        now=now,
        calendar=Calendar(HOURS, recipient, now),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "Caller"),
        ("body", "AUDIO CALL"),
        ("sender", "cometchat-uid-1"),
        ("senderName", "Andrew Joseph"),
        ("receiver", "cometchat-uid-2"),
        ("receiverType", "user"),
        ("type", "call"),
        ("callAction", "initiated"),
        ("callType", "audio"),
        ("sessionId", "v1.123.aik2"),
        ("tag", "123"),
        ("conversationId", "cometchat-uid-1_user_cometchat-uid-2"),
        ("conversation", "cometchat-uid-1_user_cometchat-uid-2"),
        ("sentAt", "1741847453000"),
        ("unreadMessageCount", 5),
        ("uid", "cometchat-uid-2"),
        ("to.uid", "cometchat-uid-2"),
        ("to.email", None),
        ("appId", "app123"),
        ("region", "us/eu/in"),
        ("locale", "de"),
        ("feed", "push"),
        ("kind", "call"),
        ("reply", False),
        ("mention", False),
        ("age", 10.0),
        ("subject", None),
        ("custom", None),
        ("custom.tier", None),
        ("attributes.tier", "gold"),
        ("attributes.plan.size", 3),
        ("attributes['plan.size']", 3),
        ("attributes.none", None),
    ],
)
def test_a_field_of_a_push_payload_is_read(name: str, value: Json) -> None:
    assert read(name, take_sample("push_call_audio_initiated")) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feed", "email"),
        ("kind", "digest"),
        ("subject", "New messages in Hiking Group"),
        ("to.email", "andrew-joseph@example.com"),
        ("to.name", "Andrew Joseph"),
        ("groupDetails.guid", "cometchat-guid-1"),
        ("senderDetails.name", None),
        ("messages.sender.uid", ["cometchat-uid-5", "cometchat-uid-4"]),
        ("messages.messageObject.id", None),
        ("conversation", "group_cometchat-guid-1"),
        ("age", None),
        ("type", None),
    ],
)
def test_a_field_of_a_digest_is_read(name: str, value: Json) -> None:
    assert read(name, take_sample("email_group")) == value


def test_the_address_of_a_text_message_feed_is_read() -> None:
    subject = take_sample("sms_one_on_one")
    assert read("to.phno", subject) == "+12125550123"
    assert str(read("smsContent", subject)).startswith("You've received new messages")


def test_what_the_payload_leaves_out_is_absent() -> None:
    subject = make_subject({"custom": "text", "message": None})
    assert read("conversation", subject) is None
    assert read("custom.tier", subject) is None
    assert read("message.data.text", subject) is None
    assert read_when({"custom": {"exists": True}, "message": {"exists": False}}).holds(subject)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("custom", ("custom",)),
        ("custom.a.b", ("custom", "a", "b")),
        ("custom.deep-link", ("custom", "deep-link")),
        ("custom['deep.link'].x", ("custom", "deep.link", "x")),
        ('custom.a["b c"]', ("custom", "a", "b c")),
        ("custom.", None),
        ("custom..a", None),
        ("custom['a", None),
        ("custom[0]", None),
        ("['a']", None),
        ("", None),
        ("-x", None),
    ],
)
def test_a_path_is_split_into_its_keys(name: str, path: tuple[str, ...] | None) -> None:
    assert split_path(name) == path


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("calAction", 'did you mean "callAction"?'),
        ("recieverType", 'did you mean "receiverType"?'),
        ("cutsom.tier", 'did you mean "custom.tier"?'),
        ("attribute.tier", 'did you mean "attributes.tier"?'),
        ("mesage['x'].y", "did you mean \"message['x'].y\"?"),
        ("to.mail", 'did you mean "to.email"?'),
        ("data.notificationDetails.type", 'write "type"'),
        ("notificationDetails.custom.tier", 'write "custom.tier"'),
        ("data.to.email", 'write "to.email"'),
        ("attributes", "name one of them, as in attributes.tier"),
        ("vars", "name one of them, as in vars.tier"),
        ("vars.hwo", 'did you mean "vars.who"?'),
        ("custom..x", "write a path as custom.key or custom['odd key']"),
        ("sender.name", 'did you mean "senderDetails.name"?'),
        ("custo", 'did you mean "custom"?'),
        ("qqqq", ""),
    ],
)
def test_an_unknown_name_gets_the_nearest_one(name: str, hint: str) -> None:
    assert find_field(name, {"who"}) is None
    assert suggest_field(name, {"who"}) == hint


def test_vars_are_known_by_name_only() -> None:
    assert find_field("vars.who", {"who"}) is not None
    assert find_field("vars.who.x", {"who"}) is None
    assert suggest_field("vars.who") == "no enrich sets vars here"


def test_every_field_with_a_name_of_its_own_is_found_by_it() -> None:
    assert all(find_field(name) is field for name, field in FIELDS.items())
