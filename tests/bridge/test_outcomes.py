"""Hops become outcomes."""

import math
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.bridge import (
    Exchange,
    Request,
    Response,
    ResponseCodes,
    TransportError,
    UntrustedServerError,
    classify_response,
    make_outcome,
)
from router.bridge.outcomes import read_enhanced_code, read_retry_after
from router.core.model.retry import MAX_RETRY_S, asked_wait

NOW = 1_760_000_000.0
POST = Request(method="POST", url="https://api.example.com/SECRET")
MAIL = Request(method="SMTP", url="smtps://user:SECRET@mail.example")


def exchange(status: int, body: bytes = b"", **headers: str) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange(POST, Response(status=status, headers=named, body=body))


def reply(code: int, command: str, body: bytes = b"") -> Exchange:
    return Exchange(MAIL, Response(status=code, headers={"smtp-command": command}, body=body))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered(status=200)),
        (204, Delivered(status=204)),
        (302, Rejected(status=302, reason="302 found")),
        (400, Rejected(status=400, reason="400 bad request")),
        (401, Suspend(status=401, reason="401 unauthorized", scope="recipient")),
        (403, Suspend(status=403, reason="403 forbidden", scope="recipient")),
        (407, Suspend(status=407, reason="407 proxy authentication required")),
        (404, Rejected(status=404, reason="404 not found")),
        (408, Retry(status=408, reason="408 request timeout")),
        (410, Rejected(status=410, reason="410 gone")),
        (425, Retry(status=425, reason="425 too early")),
        (429, Retry(status=429, reason="429 too many requests")),
        (500, Retry(status=500, reason="500 internal server error")),
        (529, Retry(status=529, reason="529")),
    ],
)
def test_a_status_means_what_http_says(status: int, expected: Outcome) -> None:
    assert classify_response([exchange(status)], response_codes={}, now=NOW) == expected


@pytest.mark.parametrize(
    ("guarded", "expected"),
    [(False, Suspend(reason="no proof")), (True, Retry(reason="no proof"))],
    ids=["the channel's own server", "a recipient's own server"],
)
def test_a_server_without_proof_of_its_identity_holds_the_channel_that_names_it(
    *, guarded: bool, expected: Outcome
) -> None:
    request = Request(method="POST", url="https://api.example.com/", guarded=guarded)
    exchange = Exchange(request, error=UntrustedServerError("no proof"))
    assert classify_response([exchange], response_codes={}, now=NOW) == expected


@pytest.mark.parametrize(
    ("code", "command", "kind"),
    [
        (250, "data", Delivered),
        (421, "connect", Retry),
        (451, "rcpt", Retry),
        (452, "data", Retry),
        (454, "auth", Retry),
        (535, "auth", Suspend),
        (530, "mail", Suspend),
        (550, "mail", Suspend),
        (554, "connect", Suspend),
        (550, "rcpt", Rejected),
        (554, "data", Rejected),
    ],
)
def test_a_reply_means_what_smtp_says(code: int, command: str, kind: type[Outcome]) -> None:
    outcome = classify_response([reply(code, command)], response_codes={}, now=NOW)
    assert type(outcome) is kind
    assert outcome.status == code


def test_no_hop_is_a_fault_of_message_or_settings() -> None:
    assert isinstance(classify_response([], response_codes={}, now=NOW), Rejected)


def test_a_request_that_never_left_is_tried_again() -> None:
    error = TransportError("the server is unreachable", sent=False)
    outcome = classify_response([Exchange(POST, error=error)], response_codes={}, now=NOW)
    assert outcome == Retry(reason="the server is unreachable")


def test_a_request_without_an_answer_may_have_arrived() -> None:
    error = TransportError("timed out", sent=True)
    assert classify_response([Exchange(POST, error=error)], response_codes={}, now=NOW) == Unknown(
        reason="timed out"
    )


def test_the_last_hop_decides() -> None:
    assert isinstance(
        classify_response([exchange(500), exchange(200)], response_codes={}, now=NOW), Delivered
    )
    assert isinstance(
        classify_response([exchange(200), exchange(500)], response_codes={}, now=NOW), Retry
    )


def test_a_code_in_the_table_goes_before_the_status_in_it() -> None:
    table: ResponseCodes = {404: "suspend", "gone_user": "gone"}
    named = classify_response([exchange(404)], response_codes=table, now=NOW, code="gone_user")
    assert named == Rejected(status=404, reason="404 not found (gone_user)", forget_contact=True)
    bare = classify_response([exchange(404)], response_codes=table, now=NOW)
    assert isinstance(bare, Suspend)


def test_a_code_makes_a_200_a_rejection_unless_the_table_knows_better() -> None:
    rejected = classify_response([exchange(200)], response_codes={}, now=NOW, code="no")
    assert rejected == Rejected(status=200, reason="200 ok (no)")
    assert isinstance(
        classify_response([exchange(200)], response_codes={"no": "retry"}, now=NOW, code="no"),
        Retry,
    )
    assert isinstance(
        classify_response([exchange(500)], response_codes={}, now=NOW, code="no"), Retry
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0.25 ", 0.25),
        ("0", 0.0),
        ("99999999", 99999999.0),
        (f"{NOW + 30:.0f}", 30.0),
        (f"{NOW * 1000 + 30_000:.0f}", 30.0),
        (format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True), 30.0),
        (format_datetime(datetime.fromtimestamp(NOW - 30, UTC), usegmt=True), -30.0),
        (format_datetime(datetime.fromtimestamp(NOW + 30, UTC)).replace("+0000", "-0000"), 30.0),
        (format_datetime(datetime.fromtimestamp(NOW + 30, UTC)).replace("+0000", ""), 30.0),
        ("", None),
        ("soon", None),
        ("1.2.3", None),
        ("-5", None),
        ("nan", None),
        ("1e400", None),
        ("Wed, 99 Foo 2025 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_point_in_time(
    text: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert read_retry_after(text, NOW) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=40) | st.from_regex(r"[0-9.]{1,400}", fullmatch=True))
def test_any_retry_after_is_a_number_or_nothing(text: str) -> None:
    seconds = read_retry_after(text, NOW)
    assert seconds is None or not math.isnan(seconds)
    asked = asked_wait(Retry(reason="", after=seconds))
    assert asked is None or 0 < asked <= MAX_RETRY_S


def test_the_time_a_provider_asks_for_goes_with_retry_and_suspend() -> None:
    assert classify_response([exchange(429, retry_after="9")], response_codes={}, now=NOW) == Retry(
        status=429, reason="429 too many requests", after=9.0
    )
    assert classify_response(
        [exchange(403, retry_after="9")], response_codes={}, now=NOW
    ) == Suspend(status=403, reason="403 forbidden", after=9.0, scope="recipient")


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (reply(550, "rcpt", b"5.1.1 <anna@example.com>: no such user"), "5.1.1"),
        (reply(452, "rcpt", b" 4.2.2 full"), "4.2.2"),
        (reply(550, "rcpt", b"no such user 5.1.1"), ""),
        (reply(250, "data", b"2.0.0 queued"), ""),
        (exchange(550, b"5.1.1"), ""),
    ],
)
def test_a_refusal_by_mail_names_its_enhanced_code(found: Exchange, code: str) -> None:
    assert read_enhanced_code(found) == code


def test_every_reading_has_its_outcome() -> None:
    assert make_outcome("delivered", status=200, handle="x") == Delivered(status=200, handle="x")
    assert make_outcome("retry", reason="r", after=2.0) == Retry(reason="r", after=2.0)
    assert make_outcome("rejected", reason="r") == Rejected(reason="r")
    assert make_outcome("gone", reason="r") == Rejected(reason="r", forget_contact=True)
    assert make_outcome("unknown", reason="r") == Unknown(reason="r")
    assert make_outcome("suspend", reason="r", after=2.0) == Suspend(reason="r", after=2.0)
    refused = Suspend(reason="r", after=2.0, scope="recipient")
    assert make_outcome("refused", reason="r", after=2.0) == refused


def test_a_hop_reads_json_as_far_as_there_is_any() -> None:
    found = exchange(200, b'{"a": [{"b": 1}], "c": null}')
    assert found.json_value("a", 0, "b") == 1
    assert found.json_value("a", -1, "b") == 1
    assert found.json_value("a", 1) is None
    assert found.json_value("c", "x") is None
    assert found.json_value() == {"a": [{"b": 1}], "c": None}
    assert exchange(200, b"<html>").json_value("a") is None
    assert Exchange(POST, error=TransportError("x", sent=True)).json_value("a") is None


def test_no_hop_shows_its_url() -> None:
    assert "SECRET" not in repr(exchange(200))
    assert "SECRET" not in repr(Exchange(MAIL, error=TransportError("x", sent=True)))
    assert "SECRET" not in repr(POST)
