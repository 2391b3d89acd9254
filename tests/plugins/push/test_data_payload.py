"""Laws of what FCM gets: within its limit, whole characters, ids untouched."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router import Message
from router.core.model.facts import Device
from router.plugins.push.data_payload import fit_data, measure_data
from router.plugins.push.fcm_message import compose_message
from tests.fakes.fcm_format import find_fault
from tests.plugins.opening import make_message

LIMIT = 4096
PHRASES = ("title_loc_key", "body_loc_key", "title_loc_arg_1", "body_loc_arg_9")
IDS = ("sender", "receiver", "receiverType", "tag", "conversationId", "type", "sentAt")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(0, 400))


def make_device(platform: str) -> Device:
    return Device(platform=platform)


def payload_size(content: dict[str, object]) -> int:
    block = content.get("notification", {})
    data = content["data"]
    assert isinstance(data, dict)
    assert isinstance(block, dict)
    return measure_data(data) + measure_data(block)


def with_details(base: Message, /, **details: object) -> Message:
    told = base.notification
    return replace(base, notification=replace(told, details=told.details | details))


@given(
    words=st.fixed_dictionaries(
        dict.fromkeys(("title", "body", "link", "image", "sound"), long_texts)
    ),
    extra=st.dictionaries(texts | st.sampled_from(PHRASES), long_texts, max_size=5),
    device=st.none() | st.sampled_from(["fcm_android", "fcm_ios", "fcm_web"]).map(make_device),
    block=st.booleans(),
)
def test_a_message_always_fits_and_says_nothing_that_fcm_does_not_know(
    words: dict[str, str], extra: dict[str, str], device: Device | None, block: bool
) -> None:
    message = make_message(address="t", data=extra, device=device, **words)
    content = compose_message(message, now=0.0, block=block, channel_id="chats")
    assert find_fault(msgspec.json.encode({"message": content})) == ""
    assert payload_size(content) <= LIMIT


@given(body=long_texts)
def test_however_long_the_body_the_ids_stay(body: str) -> None:
    message = with_details(
        make_message(address="t", body=body),
        message={"data": {"text": body}},
        custom={"text": body},
    )
    data = compose_message(message, now=0.0, block=False)["data"]
    assert {name: data[name] for name in IDS} == {
        name: message.notification.details[name] for name in IDS
    }


@given(body=long_texts)
def test_a_cut_body_is_the_start_of_the_body(body: str) -> None:
    data = compose_message(make_message(address="t", body=body), now=0.0, block=False)["data"]
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
    assert fit_data(data, 5000) == data
    assert fit_data(data, 4000).keys() == data.keys() - {"message"}
    assert fit_data(data, 3000).keys() == data.keys() - {"message", "custom"}
    assert fit_data(data, 1500).keys() == data.keys() - {"message", "custom", "senderAvatar"}
    assert fit_data(data, 500) == {"title": "t", "body": "b"}


def test_the_body_is_cut_only_when_nothing_expendable_is_left() -> None:
    data = {"title": "t", "body": "b" * 3000, "message": "m" * 3000, "tag": "1"}
    assert fit_data(data, 4000) == {"title": "t", "body": "b" * 3000, "tag": "1"}
    cut = fit_data(data, 2000)
    assert measure_data(cut) <= 2000
    assert len(cut["body"]) > 1900


def test_a_rule_s_own_data_goes_when_it_leaves_the_words_no_room() -> None:
    data = {"title": "t", "body": "b" * 500, "tag": "1", "blob": "x" * 5000}
    assert fit_data(data, 4000) == {"title": "t", "body": "b" * 500, "tag": "1"}


def test_null_becomes_an_empty_text_and_a_number_its_digits() -> None:
    message = with_details(
        make_message(address="t"), senderAvatar=None, unreadMessageCount=10**26, muted=True
    )
    data = compose_message(message, now=0.0, block=False)["data"]
    assert data["senderAvatar"] == ""
    assert data["unreadMessageCount"] == "1" + "0" * 26
    assert data["muted"] == "true"


def test_a_time_to_live_is_never_negative_and_never_beyond_four_weeks() -> None:
    late = compose_message(make_message(address="t", expires=10.0), now=20.0)
    early = compose_message(make_message(address="t", expires=1e9), now=0.0)
    assert late["webpush"]["headers"]["TTL"] == "0"
    assert early["webpush"]["headers"]["TTL"] == "2419200"
    assert late["android"]["ttl"] == "0s"
    assert early["android"]["ttl"] == "2419200s"
