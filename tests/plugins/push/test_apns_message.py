"""Laws of what Apple gets: within its limits, with the words and ids in it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.plugins.push.apns_message import (
    MAX_PAYLOAD_BYTES,
    PushType,
    write_headers,
    write_payload,
)
from tests.plugins.opening import make_message

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(0, 400))


@given(
    title=long_texts,
    body=long_texts,
    extra=st.dictionaries(texts, long_texts, max_size=5),
    kind=st.sampled_from(list(MAX_PAYLOAD_BYTES)),
)
def test_a_payload_always_fits_and_keeps_words_and_aps(
    title: str, body: str, extra: dict[str, str], kind: PushType
) -> None:
    written = write_payload(make_message(title=title, body=body, data=extra), kind)
    assert len(written) <= MAX_PAYLOAD_BYTES[kind]
    payload = msgspec.json.decode(written)
    assert {"aps", "title", "body"} <= payload.keys()


@given(collapse=long_texts)
def test_a_collapse_id_is_short_and_the_same_for_the_same(collapse: str) -> None:
    message = make_message(collapse=collapse)
    told = [write_headers(message, "alert", topic="a", now=0.0) for _ in range(2)]
    assert told[0] == told[1]
    assert len(told[0].get("apns-collapse-id", "").encode()) <= 64
    assert ("apns-collapse-id" in told[0]) is bool(collapse)


@given(body=long_texts)
def test_however_long_the_body_the_call_client_finds_what_it_needs(body: str) -> None:
    message = make_message("push_call_audio_initiated", body=body)
    payload = msgspec.json.decode(write_payload(message, "voip"))
    names = "sender senderName body callAction receiver type callType sessionId conversationId"
    assert set(names.split()) <= payload.keys()
    assert payload["body"] == body or body.startswith(payload["body"].removesuffix("…"))
