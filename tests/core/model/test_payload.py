import json
from copy import deepcopy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import PayloadError
from router.core.model.notification import derive
from router.core.model.payload import MAX_DEPTH, Json, decode, kept_body, prune, redact, scalar
from router.samples import SAMPLE_NAMES
from tests.core.notifications import DETAILS, envelope, sample
from tests.core.payload_bodies import bodies, json_values

CHAT: dict[str, Json] = {"to": {"uid": "ann"}, "notificationDetails": dict(DETAILS)}
WS_CHANNEL: dict[str, Json] = {"secret": "083c2a7f", "service": "x.call", "identity": "y"}


def refusal(body: bytes) -> tuple[str, str]:
    with pytest.raises(PayloadError) as refused:
        decode(body)
    assert str(refused.value) == f"{refused.value.path}: {refused.value.reason}"
    return refused.value.path, refused.value.reason


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_every_sample_is_a_payload_and_is_kept_as_it_came(name: str) -> None:
    body = sample(name)
    payload = decode(body)
    assert payload.feed == name.split("_", maxsplit=1)[0]
    assert payload.app_id == "app123"
    assert payload.uid == json.loads(body)["data"]["to"]["uid"]
    assert payload.data == json.loads(body)["data"]
    assert kept_body(body, payload) is body


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"", "$", "is not JSON"),
        (b"not json", "$", "is not JSON"),
        (b'{"trigger": "x"', "$", "is not JSON"),
        (b'{"trigger": NaN}', "$", "is not JSON"),
        (b'"\xff"', "$", "is not UTF-8 at byte 0"),
        (b'{"a": 1e400}', "$", "holds a number too large to read"),
        (b'{"a": ' + b"9" * 5000 + b"}", "$", "holds a number too large to read"),
        (b"[" * 100_000, "$", "is nested more than 100 deep"),
        (b'{"a":' * 100_000, "$", "is nested more than 100 deep"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "$", "is nested more than 100 deep"),
        (b"[]", "$", "must be an object"),
        (b"null", "$", "must be an object"),
        (b"{}", "$.trigger", "must be a text"),
        (b'{"trigger": ["a"]}', "$.trigger", "must be a text"),
        (
            b'{"trigger": "push-notification-payload-generatd"}',
            "$.trigger",
            'unknown value "push-notification-payload-generatd"; did you mean',
        ),
        (b'{"trigger": "message_sent"}', "$.trigger", 'unknown value "message_sent"; known are'),
        (envelope(CHAT, webhook="wh-1"), "$.webhook", 'must be "custom"'),
        (envelope(CHAT, webhook=None), "$.webhook", 'must be "custom"'),
        (envelope(None), "$.data", "must be an object"),
        (envelope([]), "$.data", "must be an object"),
        (envelope({"to": "ann"}), "$.data.to", "must be an object"),
        (envelope({"to": {}}), "$.data.to.uid", "must be the uid of the recipient"),
        (envelope({"to": {"uid": None}}), "$.data.to.uid", "must be the uid of the recipient"),
        (envelope({"to": {"uid": True}}), "$.data.to.uid", "must be the uid of the recipient"),
        (envelope({"to": {"uid": ["ann"]}}), "$.data.to.uid", "must be the uid of the recipient"),
        (envelope({"to": {"uid": "u" * 256}}), "$.data.to.uid", "is longer than 255 characters"),
        (envelope(CHAT, appId="a" * 256), "$.appId", "is longer than 255 characters"),
        (envelope(CHAT, region="r" * 256), "$.region", "is longer than 255 characters"),
        (envelope({"to": {"uid": "a"}}), "$.data.notificationDetails", "must be an object"),
        (envelope({"to": {"uid": "a"}}, "email"), "$.data.messages", "must be a list"),
        (
            envelope({"to": {"uid": "a"}, "messages": {}}, "sms"),
            "$.data.messages",
            "must be a list",
        ),
    ],
)
def test_what_is_no_payload_is_refused_with_path_and_reason(
    body: bytes, path: str, reason: str
) -> None:
    refused = refusal(body)
    assert refused[0] == path
    assert refused[1].startswith(reason)


def test_a_long_unknown_trigger_is_not_repeated_in_full() -> None:
    assert len(refusal(msgspec.json.encode({"trigger": "x" * 100_000}))[1]) < 300


@pytest.mark.parametrize("others", [{"appId": None}, {"appId": 7}, {"region": None}, {"new": [1]}])
def test_what_varies_around_the_data_passes(others: dict[str, Json]) -> None:
    payload = decode(envelope(CHAT, **others))
    assert payload.uid == "ann"
    assert payload.app_id == scalar(others.get("appId", "app"))


@pytest.mark.parametrize(("uid", "read"), [(7, "7"), (1.5, "1.5"), ("a\0b", "a\ufffdb")])
def test_a_uid_is_read_as_written_and_free_of_nul(uid: Json, read: str) -> None:
    assert decode(envelope({**CHAT, "to": {"uid": uid}})).uid == read


def test_a_payload_of_many_messages_is_not_taken_for_a_deep_one() -> None:
    messages: Json = [{"sender": {"uid": "bob"}, "message": "hello"}] * 200
    assert decode(envelope({"to": {"uid": "ann"}, "messages": messages}, "sms")).feed == "sms"


def test_the_deepest_payload_allowed_is_taken() -> None:
    nested: Json = 1
    for _ in range(MAX_DEPTH - 2):
        nested = [nested]
    assert decode(envelope({**CHAT, "extra": nested})).uid == "ann"
    assert refusal(envelope({**CHAT, "extra": [nested]})) == ("$", "is nested more than 100 deep")


def test_an_integer_of_any_use_is_read_exactly() -> None:
    payload = decode(envelope({**CHAT, "extra": 10**26}))
    assert payload.data["extra"] == 10**26


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        (r"cut \ud83d", "cut \ufffd"),
        (r"\ude0e cut", "\ufffd cut"),
        (r"whole \ud83d\ude0e", "whole 😎"),
        (r"\ud83d\ud83d\ude0e", "\ufffd😎"),
        (r"\\ud83d no escape", r"\ud83d no escape"),
        (r"\\\ud83d", "\\\ufffd"),
    ],
)
def test_half_a_character_which_a_cut_text_may_end_in_is_replaced(escaped: str, read: str) -> None:
    body = envelope({**CHAT, "extra": "HERE"}).replace(b"HERE", escaped.encode())
    payload = decode(body)
    assert payload.data["extra"] == read
    assert decode(kept_body(body, payload)) == payload


@pytest.mark.parametrize(
    "key", ["wsChannel", "WSCHANNEL", "secret", "password", "authToken", "apiKey"]
)
def test_a_secret_at_any_depth_never_enters(key: str) -> None:
    extra: Json = [{"a": [1, {key: WS_CHANNEL, "stays": "083c"}]}, "text"]
    body = envelope({**CHAT, "extra": extra}, **{key: "top"})
    payload = decode(body)
    pruned: Json = [{"a": [1, {"stays": "083c"}]}, "text"]
    assert payload.data == {**CHAT, "extra": pruned}
    kept = kept_body(body, payload)
    assert b"083c2a7f" not in kept
    assert b"top" not in kept
    assert decode(kept).data == payload.data
    assert derive(decode(kept), id="n", accepted_at=1.0) == derive(payload, id="n", accepted_at=1.0)


def test_a_secret_under_an_escaped_key_never_enters() -> None:
    body = envelope({**CHAT, "KEY": {"a": "083c2a7f"}}).replace(b"KEY", rb"w\u0073Channel")
    payload = decode(body)
    assert payload.data == CHAT
    assert b"083c2a7f" not in kept_body(body, payload)


def test_a_body_that_only_speaks_of_a_secret_is_kept_as_it_came() -> None:
    body = envelope({**CHAT, "extra": ["secret", {"a": "password"}]})
    payload = decode(body)
    assert not payload.redacted
    assert kept_body(body, payload) is body


mappings = st.dictionaries(st.sampled_from(["secret", "wsChannel", "a", "b"]), json_values)


@given(mappings)
def test_pruning_copies_nothing_that_stays_and_changes_nothing_it_is_given(
    value: dict[str, Json],
) -> None:
    before = deepcopy(value)
    kept = redact(value)
    assert value == before
    assert (kept is value) == ("secret" not in str(keys(value)) and "wsChannel" not in value)
    assert not {"secret", "wsChannel"} & keys(kept)
    assert redact(kept) is kept
    assert prune(value, lambda _: ()) is value


def keys(value: Json) -> set[str]:
    match value:
        case dict():
            return set(value).union(*map(keys, value.values()))
        case list():
            return set[str]().union(*map(keys, value))
        case _:
            return set()


@given(bodies())
def test_a_body_is_a_notification_or_refused_with_a_reason(body: bytes) -> None:
    try:
        payload = decode(body)
    except PayloadError as error:
        assert error.path.startswith("$")  # noqa: PT017 - either end is good
        return
    notification = derive(payload, id="n", accepted_at=1.0)
    again = derive(decode(kept_body(body, payload)), id="n", accepted_at=1.0)
    assert again == notification


@pytest.mark.parametrize(
    ("value", "written"),
    [(True, "true"), (False, "false"), (7, "7"), (1.5, "1.5"), (None, ""), ([], ""), ({}, "")],
)
def test_a_scalar_is_read_as_it_is_written(value: Json, written: str) -> None:
    assert scalar(value) == written
