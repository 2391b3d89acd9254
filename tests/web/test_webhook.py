"""`POST /webhook`: what each body is answered, over the wire and straight into the application."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from router.core.model.payload import Json
from router.samples import SAMPLE_NAMES, read_sample, restamp
from router.web.webhook import MAX_BODY_BYTES
from tests import TESTDATA
from tests.web.harness import Broken, FullDisk, Harness, Memory, basic, open_harness

GENERAL = {file.stem: file.read_bytes() for file in (TESTDATA / "general").glob("*.json")}
REFUSED = "the body is not a payload of CometChat; see `problems`"


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[tuple[Harness, Memory]]:
    intake = Memory()
    async with open_harness(tmp_path, intake=intake) as harness:
        yield harness, intake


async def post(harness: Harness, body: bytes) -> httpx.Response:
    return await harness.client().post("/webhook", content=body, headers=basic())


def payload(**changes: Json) -> dict[str, Json]:
    return {**read_sample("push_chat_one_on_one"), **changes}


def fault(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == {"message", "detail", "problems"}
    assert (body["message"], body["detail"]) == ("bad request", REFUSED)
    (problem,) = body["problems"]
    return problem["path"], problem["reason"]


async def test_a_payload_is_accepted_and_its_repeat_is_a_duplicate_of_the_first(
    harness: Harness,
) -> None:
    for name in SAMPLE_NAMES:
        body = json.dumps(restamp(read_sample(name), now=time.time(), story=name)).encode()
        first, second = await post(harness, body), await post(harness, body)
        assert (first.status_code, second.status_code) == (200, 200), name
        assert first.json()["message"] == "accepted"
        assert second.json() == {"message": "duplicate", "id": first.json()["id"]}
        assert first.headers["Content-Type"] == "application/json"


async def test_a_general_webhook_is_no_payload(memory: tuple[Harness, Memory]) -> None:
    harness, intake = memory
    for name, body in GENERAL.items():
        answer = await post(harness, body)
        assert fault(answer)[0] in {"$.trigger", "$.webhook"}, name
    assert intake.bodies == []
    assert harness.refused == ["invalid"] * len(GENERAL)


def test_there_are_general_webhooks_to_refuse() -> None:
    assert len(GENERAL) >= 4


NO_PAYLOADS = [
    (b"", "$", "is not JSON"),
    (b"not json", "$", "is not JSON"),
    (b'{"trigger": ', "$", "is not JSON"),
    (b"\xff\xfe{}", "$", "is not JSON"),
    (b"null", "$", "must be an object"),
    (b"[]", "$", "must be an object"),
    (b'"\\ud800"', "$", "must be an object"),
    (b'{"trigger": "\\ud800"}', "$.trigger", "unknown value"),
    (b"{}", "$.trigger", "must be a text"),
    (b'{"trigger": "sms-notification-payload-genrated"}', "$.trigger", "did you mean"),
    (b'{"trigger": "message_sent"}', "$.trigger", "known are"),
    (b'{"trigger": "\\u0000"}', "$.trigger", "unknown value"),
    (b"[" * 100_000 + b"]" * 100_000, "$", "is nested"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "$", "is nested"),
]


async def test_a_body_that_is_no_payload_is_told_where_and_why(
    memory: tuple[Harness, Memory],
) -> None:
    harness, intake = memory
    for body, path, reason in NO_PAYLOADS:
        found = fault(await post(harness, body))
        assert found[0] == path, body[:40]
        assert reason in found[1], body[:40]
    assert intake.bodies == []


async def test_data_nested_too_deeply_is_refused(memory: tuple[Harness, Memory]) -> None:
    harness, _ = memory
    body = json.dumps(payload(extra="HERE")).encode()
    deep = b"[" * 100_000 + b"]" * 100_000
    assert (await post(harness, body.replace(b'"HERE"', deep))).status_code == 400


STRANGE = [
    b"100000000000000000000000000",
    b"-100000000000000000000000000",
    b"1.7976931348623157e308",
    b'"\\u0000"',
    b'"a\\u0000b"',
    b'"\\ud800"',
    b'"\xf0\x9f\x8d\x8a"',
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'""',
    b'"' + b"x" * 70_000 + b'"',
]


async def test_a_strange_value_anywhere_is_accepted_or_refused(harness: Harness) -> None:
    body = json.dumps(read_sample("push_chat_one_on_one")).encode()
    for place in ("appId", "region", "sentAt", "conversationId", "tag", "title", "type", "uid"):
        head, key, tail = body.partition(f'"{place}": '.encode())
        assert key, place
        for value in STRANGE:
            answer = await post(harness, head + key + value + after_value(tail))
            assert answer.status_code in {200, 400}, (place, value[:40], answer.text)


def after_value(text: bytes) -> bytes:
    _, length = json.JSONDecoder().raw_decode(text.decode())
    return text.decode()[length:].encode()


async def test_any_other_method_is_refused(memory: tuple[Harness, Memory]) -> None:
    harness, _ = memory
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        answer = await harness.client().request(method, "/webhook", headers=basic())
        assert answer.status_code == 405, method
        assert answer.headers["Allow"] == "POST"
    assert harness.refused == ["method"] * 6


async def test_a_full_disk_asks_to_come_again(tmp_path: Path) -> None:
    async with open_harness(tmp_path, intake=FullDisk()) as harness:
        answer = await post(harness, b"{}")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["message"] == "service unavailable"
    assert harness.refused == ["unavailable"]


async def test_a_defect_tells_nothing_of_itself(tmp_path: Path) -> None:
    async with open_harness(tmp_path, intake=Broken()) as harness:
        answer = await post(harness, b"{}")
    assert answer.status_code == 500
    assert answer.json() == {
        "message": "internal server error",
        "detail": "the router failed; see `request failed` in its log",
        "problems": [],
    }
    assert harness.refused == ["fault"]


async def test_one_mebibyte_passes_and_a_byte_more_does_not(
    memory: tuple[Harness, Memory],
) -> None:
    harness, intake = memory
    body = json.dumps(payload()).encode()
    assert (await post(harness, body.ljust(MAX_BODY_BYTES))).status_code == 200
    assert harness.refused == []
    assert (await post(harness, body.ljust(MAX_BODY_BYTES + 1))).status_code == 413
    assert harness.refused == ["too_large"]
    assert len(intake.bodies) == 1


async def test_a_wrong_password_is_told_before_the_size_and_the_size_before_the_body(
    memory: tuple[Harness, Memory],
) -> None:
    harness, _ = memory
    large = b"x" * (2 * MAX_BODY_BYTES)
    wrong = await harness.client().post("/webhook", content=large, headers=basic(password="x"))
    assert wrong.status_code == 401
    assert (await post(harness, large)).status_code == 413
    assert harness.refused == ["unauthorized", "too_large"]


async def test_a_packed_body_is_refused(memory: tuple[Harness, Memory]) -> None:
    harness, _ = memory
    body = json.dumps(payload()).encode()
    for coding, status in (("gzip", 415), ("br", 415), ("identity", 200), ("Identity", 200)):
        headers = {**basic(), "Content-Encoding": coding}
        answer = await harness.client().post("/webhook", content=body, headers=headers)
        assert answer.status_code == status, coding
    assert harness.refused == ["packed"] * 2


async def test_a_client_that_leaves_is_answered_nothing(memory: tuple[Harness, Memory]) -> None:
    harness, intake = memory
    headers = [(name.lower().encode(), text.encode()) for name, text in basic().items()]
    events = iter(
        [
            {"type": "http.request", "body": b'{"trig', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[object] = []

    async def receive() -> object:
        return next(events)

    async def send(event: object) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/webhook",
        "headers": headers,
    }
    await harness.app(scope, receive, send)  # type: ignore[arg-type]  # as much as is looked at
    assert sent == []
    assert intake.bodies == []
    assert harness.refused == ["incomplete"]
