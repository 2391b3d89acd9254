"""A channel says declaratively how its service's answers are read."""

from datetime import UTC, datetime
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Delivered, Outcome, Rejected, Retry, Settings, Suspend, Unknown
from router.bridge import (
    AppriseChannel,
    BodyTest,
    ErrorCode,
    Exchange,
    Request,
    Response,
    RetryAfter,
    ServiceAnswers,
    TransportError,
    find_service_answers,
    share_service_answers,
)
from router.core.model.retry import MAX_RETRY_S, asked_wait
from router.testing import ScriptedTransport, make_message
from router.testing.script import ScriptedResult
from tests.bridge.json_channel import SETTINGS, Json, send

NOW = 1_760_000_000.0


LATER = datetime.fromtimestamp(NOW + 60, UTC).isoformat()


def exchange(status: int, body: object = None, **headers: str) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(method="POST", url="https://api.example/send")
    return Exchange(request, Response(status=status, headers=named, body=raw))


@pytest.mark.parametrize(
    ("test", "body", "holds"),
    [
        (BodyTest("ok", equals=(False,)), {"ok": False}, True),
        (BodyTest("ok", equals=(False,)), {"ok": "false"}, True),
        (BodyTest("ok", equals=(False,)), {"ok": True}, False),
        (BodyTest("ok", equals=(False,)), {}, False),
        (BodyTest("code", other_than=(0,)), {"code": 0}, False),
        (BodyTest("code", other_than=(0,)), {"code": "0"}, False),
        (BodyTest("code", other_than=(0,)), {"code": 0.0}, False),
        (BodyTest("code", other_than=(0,)), {"code": 17}, True),
        (BodyTest("code", other_than=(0,)), {"code": {"of": 17}}, False),
        (BodyTest("code", other_than=(0,)), {"code": None}, False),
        (BodyTest("code", other_than=(0,)), b"<html>", False),
        (BodyTest("errors"), {"errors": ["no"]}, True),
        (BodyTest("errors"), {"errors": []}, False),
        (BodyTest("errors"), {"errors": None}, False),
        (BodyTest("list.0.status", equals=("bad",)), {"list": [{"status": "bad"}]}, True),
        (BodyTest("list.1.status", equals=("bad",)), {"list": [{"status": "bad"}]}, False),
        (BodyTest("list.x", equals=("bad",)), {"list": [{"status": "bad"}]}, False),
        (BodyTest("map.*.status", equals=("bad",)), {"map": {"x": {"status": "bad"}}}, True),
        (BodyTest("map.*.status", equals=("bad",)), {"map": {}}, False),
        (BodyTest("", matches=r"^ERROR\|"), b"ERROR|103", True),
        (BodyTest("", matches=r"^ERROR\|"), b"OK|1", False),
        (BodyTest("", matches=r"^ERROR\|"), b"\xff\xfe", False),
    ],
)
def test_a_sign_of_failure_is_found_where_it_stands(
    test: BodyTest, body: object, holds: bool
) -> None:
    assert test.holds(exchange(200, body)) is holds


@pytest.mark.parametrize(
    ("code", "body", "found"),
    [
        (ErrorCode("code"), {"code": 21211}, "21211"),
        (ErrorCode("code"), {"code": "a_b"}, "a_b"),
        (ErrorCode("code"), {"code": True}, ""),
        (ErrorCode("code"), {"code": None}, ""),
        (ErrorCode("code"), {"code": "x" * 41}, ""),
        (ErrorCode("code"), {"code": "two\nlines"}, ""),
        (ErrorCode("text", "blocked|left"), {"text": "It is Blocked by anna@example"}, "blocked"),
        (ErrorCode("", "<Code>(\\w+)</Code>"), b"<Error><Code>Slow</Code></Error>", "slow"),
        (ErrorCode("errors", "gone"), {"errors": {"gone": [1]}}, "gone"),
    ],
)
def test_a_code_is_short_or_of_our_own_words(code: ErrorCode, body: object, found: str) -> None:
    assert code.read(exchange(400, body)) == found


@pytest.mark.parametrize(
    ("place", "answer", "seconds"),
    [
        (RetryAfter("retry_after"), exchange(429, {"retry_after": 0.25}), 0.25),
        (RetryAfter("p.retry_after"), exchange(429, {"p": {"retry_after": "7"}}), 7.0),
        (RetryAfter("wait", unit="ms"), exchange(429, {"wait": 2500}), 2.5),
        (RetryAfter("until", unit="epoch_s"), exchange(429, {"until": NOW + 9}), 9.0),
        (RetryAfter("until", unit="epoch_ms"), exchange(429, {"until": (NOW + 9) * 1000}), 9.0),
        (RetryAfter("until", unit="epoch_s"), exchange(429, {"until": NOW - 9}), -9.0),
        (RetryAfter(header="x-reset"), exchange(429, None, x_reset="3"), 3.0),
        (RetryAfter(header="x-reset"), exchange(429), None),
        (RetryAfter(header="x-reset"), exchange(500, None, x_reset="3"), None),
        (RetryAfter(header="x-reset", unit="date"), exchange(429, None, x_reset=LATER), 60.0),
        (RetryAfter(header="x-reset", unit="date"), exchange(429, None, x_reset="soon"), None),
        (RetryAfter("wait"), exchange(429, {"wait": -1}), -1.0),
        (RetryAfter("wait"), exchange(429, {"wait": 10**400}), None),
        (RetryAfter("wait"), exchange(429, {"wait": NOW + 9}), 9.0),
        (RetryAfter("wait", unit="ms"), exchange(429, {"wait": (NOW + 9) * 1000}), 9.0),
        (RetryAfter("until", unit="epoch_s"), exchange(429, {"until": (NOW + 9) * 1000}), 9.0),
        (RetryAfter("until", unit="epoch_s"), exchange(429, {"until": 30}), 30.0),
        (RetryAfter(header="x-reset", unit="date"), exchange(429, None, x_reset=LATER[:19]), 60.0),
        (RetryAfter("wait"), exchange(429, {"wait": "soon"}), None),
        (RetryAfter("wait"), exchange(429, {"wait": "nan"}), None),
        (RetryAfter("wait"), exchange(429, {"wait": [1]}), None),
    ],
)
def test_a_time_to_wait_has_a_place_and_a_unit(
    place: RetryAfter, answer: Exchange, seconds: float | None
) -> None:
    assert place.read(answer, NOW) == seconds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(JSON, st.sampled_from(["", "a", "a.b", "a.0", "a.*", "*.b", "0"]))
def test_no_body_makes_a_table_fail(body: object, path: str) -> None:
    answer = exchange(200, body)
    for test in (
        BodyTest(path),
        BodyTest(path, equals=(1,)),
        BodyTest(path, other_than=("x",)),
        BodyTest(path, matches="q"),
    ):
        assert test.holds(answer) in {True, False}
    code = ErrorCode(path).read(answer)
    assert len(code) <= 40
    assert code.isprintable()
    wait = RetryAfter(path).read(answer, NOW)
    asked = asked_wait(Retry(reason="", after=wait))
    assert asked is None or 0 < asked <= MAX_RETRY_S


SERVICE = ServiceAnswers(
    source="https://pager.example/errors",
    failures=(BodyTest("ok", equals=(False,)),),
    codes=(ErrorCode("error.code"), ErrorCode("error.text", "was blocked")),
    response_codes={"left": "gone", "was blocked": "rejected", "busy": "retry", 402: "suspend"},
    retry_after=(RetryAfter("error.wait_ms", unit="ms"),),
)


class Told(Json):
    """A channel whose author declares its service's answers and nothing else."""

    service: ClassVar[ServiceAnswers | None] = SERVICE
    response_codes: ClassVar = {}
    error_code = Json.__mro__[1].error_code  # type: ignore[attr-defined]  # AppriseChannel's own


def answer(status: int, body: object, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (answer(200, {"ok": True}), Delivered(status=200)),
        (answer(200, {"surprise": 1}), Delivered(status=200)),
        (
            answer(200, {"ok": False}),
            Rejected(status=200, reason="200 ok (says failure in ok)"),
        ),
        (
            answer(200, {"ok": False, "error": {"code": "busy", "wait_ms": 1500}}),
            Retry(status=200, reason="200 ok (busy)", after=1.5),
        ),
        (
            answer(429, {"error": {"wait_ms": 1500}}, retry_after="9"),
            Retry(status=429, reason="429 too many requests", after=9.0),
        ),
        (
            answer(400, {"error": {"code": "left"}}),
            Rejected(status=400, reason="400 bad request (left)", forget_contact=True),
        ),
        (
            answer(403, {"error": {"text": "The bot WAS BLOCKED by anna"}}),
            Rejected(status=403, reason="403 forbidden (was blocked)"),
        ),
        (answer(402, {}), Suspend(status=402, reason="402 payment required")),
    ],
)
async def test_a_channel_reads_the_answers_of_its_service(
    line: ScriptedResult, expected: Outcome
) -> None:
    assert (await send(line, Told))[0] == expected


class LoggingIn(Told):
    """A channel whose every request is one for a token."""

    service: ClassVar[ServiceAnswers | None] = ServiceAnswers(
        source="https://pager.example/login", login=r"example/to\b"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (answer(400, {}), Suspend(status=400, reason="400 bad request (at the login)")),
        (answer(503, {}), Retry(status=503, reason="503 service unavailable")),
        (TransportError("timed out", sent=True), Retry(reason="timed out")),
    ],
)
async def test_a_refused_login_is_no_recipient_s_fault(
    line: ScriptedResult, expected: Outcome
) -> None:
    assert (await send(line, LoggingIn))[0] == expected
    assert not isinstance(expected, Unknown)


class LoggingOut(Told):
    """A channel that logs out after each message, so that the last answer is not the one."""

    service: ClassVar[ServiceAnswers | None] = ServiceAnswers(
        source="https://pager.example/logout",
        response_codes={"left": "gone"},
        codes=(ErrorCode("error"),),
        logout=r"/bye$",
    )


@pytest.mark.parametrize("paths", [("/to", "/bye"), ("/to",)])
def test_an_answer_to_a_logout_decides_nothing(paths: tuple[str, ...]) -> None:
    service = LoggingOut.service
    assert service is not None
    exchanges = [
        Exchange(Request(method="POST", url=f"https://x.example{path}"), answer(200, {}))
        for path in paths
    ]
    assert service.find_deciding(exchanges) == exchanges[:1]
    alone = [Exchange(Request(method="POST", url="https://x.example/bye"), answer(200, {}))]
    assert service.find_deciding(alone) == alone


class HookSettings(Settings, frozen=True):
    """Nothing but the URL."""


class Hook(AppriseChannel[HookSettings]):
    """A channel whose recipients have webhooks of their own, each with its secret."""

    name = "hook"
    Settings = HookSettings
    url = "zoom://{to}/0123456789abcdef"
    service: ClassVar[ServiceAnswers | None] = ServiceAnswers(
        source="https://support.zoom.com", response_codes={404: "suspend"}
    )


async def test_a_dead_credential_of_a_recipient_s_own_holds_that_recipient_alone() -> None:
    transport = ScriptedTransport(answer(404, {}))
    channel = Hook(HookSettings(), transport)
    outcome = await channel.send(make_message(address="abcdefghijkl"))
    assert outcome == Suspend(status=404, reason="404 not found", scope="recipient")


class Posing(Told):
    """A channel whose sandbox answers as its service documents."""

    service: ClassVar[ServiceAnswers | None] = ServiceAnswers(
        source="https://pager.example", success=b'{"ok": true}', success_status=202
    )


def test_the_sandbox_gives_the_documented_answer() -> None:
    posing = Posing(SETTINGS, ScriptedTransport(answer(200, {})))
    request = Request(method="POST", url="https://eu.example/to")
    assert posing.sandbox(request) == Response(status=202, body=b'{"ok": true}')
    plain = Told(SETTINGS, ScriptedTransport(answer(200, {})))
    assert plain.sandbox(request) == Response(status=200, body=b"{}")


def test_a_shared_table_is_found_by_the_class_or_the_class_it_extends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.bridge.service_answers._shared", {})

    class NotifyThis:
        pass

    class Extended(NotifyThis):
        pass

    assert find_service_answers(Extended).response_codes == {}
    share_service_answers({"NotifyThis": SERVICE})
    assert find_service_answers(Extended) is SERVICE
    own = ServiceAnswers(source="https://other.example")
    assert find_service_answers(Extended, {"NotifyThis": own}) is own
