"""A channel by URL: settings in, outcome out."""

import asyncio
from typing import ClassVar, get_args

import msgspec
import pytest
from apprise.plugins.base import NotifyBase

from router import (
    Delivered,
    Limits,
    Outcome,
    Rejected,
    Retry,
    Secret,
    Settings,
    Suspend,
    Unknown,
)
from router.bridge import (
    AppriseChannel,
    Request,
    Response,
    ResponseCodes,
    ResponseMeaning,
    TransportError,
    URLTemplateError,
    requests,
)
from router.testing import ScriptedTransport, make_message
from router.testing.script import ScriptedResult
from tests.bridge.json_channel import OK, SETTINGS, Json, send


async def test_settings_and_address_arrive_as_they_are() -> None:
    outcome, carried = await send(OK)
    assert outcome == Delivered(status=200, handle="7")
    assert carried[0].url == "https://eu.example/to"
    assert carried[0].headers["Authorization"] == requests.auth._basic_auth_str(
        "router", "p@ss/w&rd?x=1"
    )
    assert msgspec.json.decode(carried[0].body)["place"] == "anna"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            Response(status=200, body=b'{"error": "busy"}'),
            Retry(status=200, reason="200 ok (busy)"),
        ),
        (
            Response(status=400, body=b'{"error": "left"}'),
            Rejected(status=400, reason="400 bad request (left)", forget_contact=True),
        ),
        (Response(status=404), Suspend(status=404, reason="404 not found")),
        (Response(status=410), Rejected(status=410, reason="410 gone")),
        (TransportError("timed out", sent=True), Unknown(reason="timed out")),
        (TransportError("timed out", sent=False), Retry(reason="timed out")),
        (
            Response(status=400, body=b'{"error": "no such token p@ss/w&rd?x=1 for anna"}'),
            Rejected(status=400, reason="400 bad request (no such token … for …)"),
        ),
    ],
)
async def test_an_answer_becomes_an_outcome(line: ScriptedResult, expected: Outcome) -> None:
    assert (await send(line))[0] == expected


READINGS: dict[ResponseMeaning, Outcome] = {
    "delivered": Delivered(handle="7"),
    "retry": Retry(reason=""),
    "throttled": Retry(reason="", throttled=True),
    "rejected": Rejected(reason=""),
    "gone": Rejected(reason="", forget_contact=True),
    "unknown": Unknown(reason=""),
    "suspend": Suspend(reason=""),
    "refused": Suspend(reason="", scope="recipient"),
}


@pytest.mark.parametrize("reading", get_args(ResponseMeaning))
@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (Response(status=409, body=b'{"id": "7"}'), 409),
        (Response(status=200, body=b'{"id": "7"}'), 200),
        (Response(status=202, body=b'{"id": "7"}'), 202),
        (Response(status=503, body=b'{"id": "7"}'), 503),
        (Response(status=200, body=b'{"id": "7", "error": "known"}'), "known"),
        (Response(status=409, body=b'{"id": "7", "error": "known"}'), "known"),
    ],
    ids=str,
)
async def test_the_table_of_a_channel_decides_whatever_apprise_makes_of_an_answer(
    reading: ResponseMeaning, answer: Response, key: int | str
) -> None:
    class Tabled(Json):
        """With one entry."""

        response_codes: ClassVar[ResponseCodes] = {key: reading}

    outcome, _ = await send(answer, Tabled)
    bare = msgspec.structs.replace(outcome, status=None)
    if not isinstance(bare, Delivered):
        bare = msgspec.structs.replace(bare, reason="")
    assert bare == READINGS[reading]
    assert outcome.status == answer.status


async def test_a_refusal_that_cannot_be_the_recipient_s_is_the_channel_s() -> None:
    class LogsIn(Json):
        """Whose request is a login."""

        def carries_message(self, request: Request) -> bool:
            return False

    for kind in (LogsIn, Fixed):
        assert (await send(Response(status=403), kind))[0] == Suspend(
            status=403, reason="403 forbidden"
        )
    assert (await send(Response(status=403)))[0] == Suspend(
        status=403, reason="403 forbidden", scope="recipient"
    )


async def test_a_bad_address_sends_nothing() -> None:
    outcome, carried = await send(OK, address="anna&:place=eve")
    assert isinstance(outcome, Rejected)
    assert carried == []


async def test_a_message_without_words_is_sent_all_the_same() -> None:
    outcome, carried = await send(OK, title="", body="")
    assert isinstance(outcome, Delivered)
    assert len(carried) == 1


async def test_the_body_stands_in_nobodys_log_or_picture() -> None:
    _, carried = await send(OK)
    assert carried[0].headers["User-Agent"] == "Router"
    assert b"github" not in carried[0].body


class Fixed(Json):
    """To one place."""

    url = "jsons://router:{token}@{region}.example/to"


async def test_a_fixed_destination_needs_no_contact_and_reads_no_address() -> None:
    outcome, carried = await send(OK, Fixed, address="anything, at all/")
    assert not Fixed.needs_contact(SETTINGS)
    assert Json.needs_contact(SETTINGS)
    assert isinstance(outcome, Delivered)
    assert b"anything" not in carried[0].body


class Wrong(Json):
    """To nowhere."""

    url = "nothing://{token}/{to}"


class Local(Json):
    """To this machine."""

    url = "syslog://{to}"


async def test_a_url_that_no_plugin_knows_suspends_the_channel() -> None:
    assert await send(OK, Wrong) == (Suspend(reason="nothing:// is not a scheme of Apprise"), [])


def test_a_url_that_reaches_this_machine_takes_no_address() -> None:
    with pytest.raises(URLTemplateError):
        Local(SETTINGS, ScriptedTransport(OK))


class Short(Json):
    """With limits."""

    limits = Limits(title=5, body=7)


async def test_texts_are_cut_to_the_limits() -> None:
    _, carried = await send(OK, Short, title="A long title", body="A long body")
    assert b'"A lo\\u2026"' in carried[0].body
    assert b'"A long\\u2026"' in carried[0].body


async def test_a_thread_plugin_in_a_sandbox_is_told_of_and_not_run() -> None:
    class Chat(Json):
        """Over connections of its own."""

        url = "irc://router:{token}@irc.example/{to}"

    transport = ScriptedTransport(Response(status=200))
    channel = Chat(SETTINGS, transport)
    assert isinstance(await channel.send(make_message(address="#general")), Delivered)
    assert [request.method for request in transport.carried] == ["IRC"]


class Counted(Json):
    """With a count of the plugins it made."""

    made: ClassVar[list[str]] = []

    def _build_plugin(self, address: str) -> NotifyBase:
        self.made.append(address)
        return super()._build_plugin(address)


async def test_a_plugin_is_kept_for_its_address() -> None:
    Counted.made.clear()
    channel = Counted(SETTINGS, ScriptedTransport(OK))
    for address in ("anna", "anna", "ben", "anna"):
        await channel.send(make_message(address=address))
    assert Counted.made == ["anna", "ben"]


async def test_sends_at_the_same_time_share_no_plugin() -> None:
    Counted.made.clear()

    class Slow(ScriptedTransport):
        async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
            await asyncio.sleep(0)
            return await super().send(request, timeout=timeout)

    channel = Counted(SETTINGS, Slow(OK))
    await asyncio.gather(*(channel.send(make_message(address="ben")) for _ in range(3)))
    assert Counted.made == ["ben"] * 3
    await channel.send(make_message(address="ben"))
    assert Counted.made == ["ben"] * 3


def test_a_url_of_the_settings_has_no_place_but_the_address() -> None:
    class Free(Settings, frozen=True):
        """Any URL."""

        url: Secret
        token: str = "x"

    class Anything(AppriseChannel[Free]):
        """Any."""

        name = "any"
        Settings = Free

    channel = Anything(Free(url=Secret("jsons://h.example/{token}/{to}")), ScriptedTransport(OK))
    assert channel._fill_url("a/b") == "jsons://h.example/{token}/a%2Fb"
