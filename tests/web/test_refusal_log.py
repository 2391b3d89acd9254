"""A refused request is a line of the log, with its reason and its peer; a flood is a few."""

import asyncio
from collections import Counter
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from router.web import connection, server
from router.web.refusal_log import INTERVAL_S, MAX_PEERS, OTHERS, RefusalLog
from router.web.webhook import MAX_BODY_BYTES
from tests.web.harness import LIVE, FullDisk, Harness, Memory, basic, open_harness, serve

Lines = list[MutableMapping[str, Any]]

SECRET = {"ROUTER_WEBHOOK_SECRET": "a-secret-of-thirty-two-characters"}


HEADER = "x-cometchat-signature"


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as lines:
        yield lines


def refusals(lines: Lines) -> Lines:
    found = [line for line in lines if line["event"] == "request refused"]
    assert {type(line["status"]) for line in found} <= {int}
    return found


async def test_each_refusal_of_the_webhook_says_why_and_whom(tmp_path: Path, lines: Lines) -> None:
    hunter2 = b'{"trigger": "hunter2", "hunter2": '
    async with open_harness(tmp_path, {**LIVE, **SECRET}, intake=Memory()) as harness:
        client = harness.client()
        for content, headers in (
            (b"hunter2", {}),
            (b"hunter2", basic("hunter2", "hunter2")),
            (b"hunter2", {"X-CometChat-Signature": "hunter2"}),
            (b"hunter2", {"X-CometChat-Signature": "0" * 64}),
            (hunter2, basic()),
            (hunter2 + b"1}", basic()),
            (b"x" * (MAX_BODY_BYTES + 1), basic()),
            (b"hunter2", {**basic(), "Content-Encoding": "hunter2"}),
        ):
            await client.post("/webhook?hunter2", content=content, headers=headers)
        await client.get("/webhook/events")
    told = [(line["status"], line["reason"], line["detail"]) for line in refusals(lines)]
    assert told == [
        (
            401,
            "unauthorized",
            f"send a user name and a password (Basic) or the body's HMAC-SHA256 in {HEADER}",
        ),
        (400, "invalid", "$ is not as CometChat sends it"),
        (413, "too_large", "the body is larger than 1 MiB"),
        (415, "packed", "send the body as it is, without Content-Encoding"),
        (405, "method", "use POST"),
    ]
    assert {(line["peer"], line["route"]) for line in refusals(lines)} == {
        ("127.0.0.1", "/webhook")
    }
    assert {line["log_level"] for line in refusals(lines)} == {"warning"}
    assert "hunter2" not in str(lines)


async def test_a_disk_that_fails_is_said_once_and_not_for_each_payload(
    tmp_path: Path, lines: Lines
) -> None:
    async with open_harness(tmp_path, intake=FullDisk()) as harness:
        for _ in range(20):
            answer = await harness.client().post("/webhook", content=b"{}", headers=basic())
            assert answer.status_code == 503
    (line,) = refusals(lines)
    assert (line["status"], line["reason"]) == (503, "unavailable")
    assert line["detail"] == "the disk is full"


async def test_a_wrong_key_of_the_api_is_a_line_and_a_mistake_of_a_holder_is_none(
    harness: Harness, lines: Lines
) -> None:
    for _ in range(3):
        await harness.client("hunter2-hunter2-hunter2").get("/v1/channels?hunter2")
        await harness.client("recipients-0123456789abcdef").get("/v1/channels")
        await harness.client("operator-0123456789abcdef").get("/v1/notifications/nothing")
        await harness.client().get("/hunter2")
    told = [(line["route"], line["status"], line["detail"]) for line in refusals(lines)]
    assert told == [
        ("/v1", 401, "the API key is invalid"),
        ("/v1", 403, "this route needs an API key with the scope operator"),
    ]
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (b"hunter2\r\n\r\n", (400, "unknown")),
        (b"GET /hunter2 HTTP/1.1\r\nX-A: " + b"a" * 100_000, (431, "unknown")),
        (b"GET /hunter2", (408, "unknown")),
        (
            b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nX: {}\r\n\r\n{",
            (408, "/webhook"),
        ),
    ],
)
async def test_a_connection_that_is_refused_is_a_line_too(
    harness: Harness,
    lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
    sent: bytes,
    refusal: tuple[int, str],
) -> None:
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr(server, "_CHECK_INTERVAL_TICKS", 1)
    authorization = f"\r\nAuthorization: {basic()['Authorization']}".encode()
    async with serve(harness.app) as address, asyncio.timeout(20.0):
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(sent.replace(b"\r\nX: {}", authorization))
            assert int((await reader.readline()).split(b" ")[1]) == refusal[0]
            writer.transport.abort()
    (line,) = refusals(lines)
    assert (line["status"], line["route"]) == refusal
    assert line["peer"] == "127.0.0.1"
    assert "hunter2" not in str(lines)


def test_what_repeats_is_counted_to_the_next_line(lines: Lines) -> None:
    clock = Clock()
    log = RefusalLog(clock=clock)
    for step in (0.0, 1.0, 1.0, INTERVAL_S, 1.0, INTERVAL_S):
        clock.now += step
        log.note("/webhook", "10.0.0.1", 401, "unauthorized", "send a password")
    assert [line["left_out"] for line in refusals(lines)] == [0, 2, 1]


def test_what_was_left_out_of_a_peer_that_stopped_is_said_with_the_next_line(lines: Lines) -> None:
    clock = Clock()
    log = RefusalLog(clock=clock)
    for _ in range(5):
        log.note("/webhook", "10.0.0.1", 401, "unauthorized", "send a password")
    clock.now += INTERVAL_S
    log.note("/webhook", "10.0.0.2", 400, "invalid", "$ is not as CometChat sends it")
    told = [(line["peer"], line["status"], line["left_out"]) for line in refusals(lines)]
    assert told == [("10.0.0.1", 401, 0), ("10.0.0.1", 401, 4), ("10.0.0.2", 400, 0)]


def test_peers_beyond_the_most_share_their_lines(lines: Lines) -> None:
    log = RefusalLog(clock=Clock())
    for number in range(10 * MAX_PEERS):
        log.note("/webhook", f"10.0.0.{number}", 401, "unauthorized", "send a password")
    peers = [line["peer"] for line in refusals(lines)]
    assert peers == [*(f"10.0.0.{number}" for number in range(MAX_PEERS)), OTHERS]


@given(
    st.lists(
        st.tuples(st.integers(0, 2 * MAX_PEERS), st.sampled_from([400, 401]), st.integers(0, 15))
    )
)
def test_lines_and_what_they_left_out_are_all_refusals(
    notes: list[tuple[int, int, int]],
) -> None:
    clock = Clock()
    log = RefusalLog(clock=clock)
    with capture_logs() as lines:
        for peer, status, step in notes:
            clock.now += step
            log.note("/webhook", str(peer), status, "a reason", "a detail")
        clock.now += INTERVAL_S
        log.note("/webhook", "last", 500, "fault", "a detail")
    counted: Counter[int] = Counter()
    for line in refusals(lines):
        counted[line["status"]] += line["left_out"] + bool(line["detail"])
    assert counted == Counter([status for _, status, _ in notes]) + Counter([500])
