"""Laws of what FCM gets: within its limit, whole characters, ids untouched."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router import Message
from router.plugins._fcm_message import compose
from router.plugins._payload import fit, measure
from tests.plugins.opening import make_message

LIMIT = 4096
IDS = ("sender", "receiver", "receiverType", "tag", "conversationId", "type", "sentAt")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(0, 400))


def payload_size(content: dict[str, object]) -> int:
    block = content.get("notification", {})
    data = content["data"]
    assert isinstance(data, dict)
    assert isinstance(block, dict)
    return measure(data) + measure(block)


def with_details(base: Message, /, **details: object) -> Message:
    told = base.notification
    return replace(base, notification=replace(told, details=told.details | details))


@given(title=long_texts, body=long_texts, extra=st.dictionaries(texts, long_texts, max_size=5))
def test_a_message_always_fits(title: str, body: str, extra: dict[str, str]) -> None:
    message = make_message(address="t", title=title, body=body, data=extra)
    for block in (True, False):
        content = compose(message, now=0.0, block=block)
        assert payload_size(content) <= LIMIT
        for text in content["data"].values():
            text.encode()


@given(body=long_texts)
def test_however_long_the_body_the_ids_stay(body: str) -> None:
    message = with_details(
        make_message(address="t", body=body),
        message={"data": {"text": body}},
        custom={"text": body},
    )
    data = compose(message, now=0.0, block=False)["data"]
    assert {name: data[name] for name in IDS} == {
        name: message.notification.details[name] for name in IDS
    }


@given(body=long_texts)
def test_a_cut_body_is_the_start_of_the_body(body: str) -> None:
    data = compose(make_message(address="t", body=body), now=0.0, block=False)["data"]
    if data["body"] != body:
        assert body.startswith(data["body"].removesuffix("…"))
        assert data["body"].endswith("…")


def test_the_message_object_goes_before_custom_data_and_that_before_the_avatars() -> None:
    data = {
        "title": "t",
        "body": "b",
        "message": "m" * 1000,
        "custom": "c" * 1000,
        "senderAvatar": "a" * 1000,
        "receiverAvatar": "r" * 1000,
    }
    assert fit(data, 5000) == data
    assert fit(data, 4000).keys() == data.keys() - {"message"}
    assert fit(data, 3000).keys() == data.keys() - {"message", "custom"}
    assert fit(data, 1500).keys() == data.keys() - {"message", "custom", "senderAvatar"}
    assert fit(data, 500) == {"title": "t", "body": "b"}


def test_the_body_is_cut_only_when_nothing_expendable_is_left() -> None:
    data = {"title": "t", "body": "b" * 3000, "message": "m" * 3000, "tag": "1"}
    assert fit(data, 4000) == {"title": "t", "body": "b" * 3000, "tag": "1"}
    cut = fit(data, 2000)
    assert measure(cut) <= 2000
    assert len(cut["body"]) > 1900


def test_a_rule_s_own_data_goes_when_it_leaves_the_words_no_room() -> None:
    data = {"title": "t", "body": "b" * 500, "tag": "1", "blob": "x" * 5000}
    assert fit(data, 4000) == {"title": "t", "body": "b" * 500, "tag": "1"}


def test_keys_that_fcm_keeps_for_itself_are_left_out() -> None:
    reserved = {"from": "a", "message_type": "b", "google.x": "c", "gcm.y": "d"}
    message = make_message(address="t", data=reserved | {"mine": "e"})
    data = compose(message, now=0.0, block=False)["data"]
    assert data["mine"] == "e"
    assert not data.keys() & reserved.keys()


def test_null_becomes_an_empty_text_and_a_number_its_digits() -> None:
    message = with_details(
        make_message(address="t"), senderAvatar=None, unreadMessageCount=10**26, muted=True
    )
    data = compose(message, now=0.0, block=False)["data"]
    assert data["senderAvatar"] == ""
    assert data["unreadMessageCount"] == "1" + "0" * 26
    assert data["muted"] == "true"


def test_a_time_to_live_is_never_negative_and_never_beyond_four_weeks() -> None:
    late = compose(make_message(address="t", expires=10.0), now=20.0, block=False)
    early = compose(make_message(address="t", expires=1e9), now=0.0, block=False)
    assert late["android"]["ttl"] == "0s"
    assert early["android"]["ttl"] == "2419200s"
