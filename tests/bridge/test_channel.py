"""A channel by URL: settings in, outcome out."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import pytest
from apprise.plugins.base import NotifyBase
from apprise.plugins.custom_json import NotifyJSON
from msgspec import Meta

from router import (
    Delivered,
    Limits,
    Message,
    Outcome,
    Rejected,
    Retry,
    Secret,
    Settings,
    Suspend,
    Unknown,
)
from router.bridge import (
    Answers,
    AppriseChannel,
    Build,
    Hop,
    Request,
    Response,
    TemplateError,
    TransportError,
    requests,
)
from router.testing import ScriptedTransport, make_message
from router.testing.script import Line

OK = Response(status=200, body=b'{"id": "7"}')


class JsonSettings(Settings, frozen=True):
    """A server of one's own."""

    token: Annotated[Secret, Meta(description="The token.")]
    region: Annotated[Literal["eu", "us"], Meta(description="Where.")] = "eu"


class Json(AppriseChannel[JsonSettings]):
    """JSON to a server of one's own."""

    name = "json"
    Settings = JsonSettings
    url = "jsons://router:{token}@{region}.example/to?:place={to}"
    answers: ClassVar[Answers] = {"busy": "retry", "left": "gone", 404: "suspend"}

    def error_code(self, hop: Hop) -> str:
        return str(hop.field("error") or "")

    def handle(self, hop: Hop) -> str:
        return str(hop.field("id") or "")


SETTINGS = JsonSettings(token=Secret("p@ss/w&rd?x=1"))


async def send(
    line: Line, kind: type[Json] = Json, settings: JsonSettings = SETTINGS, **changes: object
) -> tuple[Outcome, list[Request]]:
    """Send one message and return its outcome and its requests."""
    transport = ScriptedTransport(line)
    channel = kind(settings, transport)
    outcome = await channel.send(make_message(**({"address": "anna"} | changes)))
    await channel.aclose()
    return outcome, transport.carried


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
async def test_an_answer_becomes_an_outcome(line: Line, expected: Outcome) -> None:
    assert (await send(line))[0] == expected


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
    assert await send(OK, Wrong) == (Suspend(reason="nothing:// is no scheme of Apprise"), [])


def test_a_url_that_reaches_this_machine_takes_no_address() -> None:
    with pytest.raises(TemplateError):
        Local(SETTINGS, ScriptedTransport(OK))


class Short(Json):
    """With limits."""

    limits = Limits(title=5, body=7)


async def test_texts_are_cut_to_the_limits() -> None:
    _, carried = await send(OK, Short, title="A long title", body="A long body")
    assert b'"A lo\\u2026"' in carried[0].body
    assert b'"A long\\u2026"' in carried[0].body


class Folding(NotifyJSON):
    """A provider without titles."""

    title_maxlen = 0
    body_maxlen = 10


class Folded(Json):
    """By class, with the title in the body."""

    def plugin(self, message: Message) -> Build:
        return Folding, {"host": "x.example", "payload": {":place": message.address}}


async def test_a_title_that_the_provider_lacks_leads_the_body() -> None:
    _, carried = await send(OK, Folded, title="Ben", body="Lunch today?")
    assert b'"Ben\\nLunch\\u2026"' in carried[0].body


class Crashing(NotifyJSON):
    """A plugin with a fault of its own."""

    def send(self, *words: object, **options: object) -> bool:
        super().send(*words, **options)
        raise KeyError("p@ss/w&rd?x=1")


class Crash(Folded):
    """By a plugin that crashes once it has sent."""

    def plugin(self, message: Message) -> Build:
        return Crashing, {"host": "x.example", "payload": {":place": message.address}}


async def test_a_plugin_that_crashes_after_sending_may_have_sent() -> None:
    assert (await send(OK, Crash))[0] == Unknown(reason="KeyError in the provider's plugin")


async def test_a_plugin_that_crashes_over_a_refusal_is_judged_by_it() -> None:
    assert isinstance((await send(Response(status=429), Crash))[0], Retry)


class Silent(NotifyJSON):
    """A plugin that says no without asking anybody."""

    def send(self, *_: object, **__: object) -> bool:
        return False


class Mute(Folded):
    """By a plugin that sends nothing."""

    def plugin(self, message: Message) -> Build:
        return Silent, {"host": "x.example", "payload": {":place": message.address}}


async def test_a_plugin_that_sends_nothing_is_a_fault_of_message_or_settings() -> None:
    assert isinstance((await send(OK, Mute))[0], Rejected)


class Doubting(NotifyJSON):
    """A plugin that does not take a 200 for an answer."""

    def send(self, *words: object, **options: object) -> bool:
        super().send(*words, **options)
        return False


class Doubt(Folded):
    """By a plugin that finds a failure in a 200."""

    def plugin(self, message: Message) -> Build:
        return Doubting, {"host": "x.example", "payload": {":place": message.address}}


async def test_a_200_that_the_plugin_takes_for_a_failure_is_one() -> None:
    assert isinstance((await send(OK, Doubt))[0], Rejected)


class TwoStep(NotifyJSON):
    """A plugin that fetches a token first."""

    def send(self, *words: object, **options: object) -> bool:
        requests.get("https://token.example/")
        return bool(super().send(*words, **options))


class Stepwise(Folded):
    """In two requests."""

    def plugin(self, message: Message) -> Build:
        return TwoStep, {"host": "x.example", "payload": {":place": message.address}}

    def carries(self, request: Request) -> bool:
        return "token" not in request.url

    def verdict(self, hops: Sequence[Hop]) -> Outcome | None:
        lost = len(hops) == 2 and hops[1].status == 418
        return Rejected(reason="teapot", status=418) if lost else None


async def test_a_doubt_about_a_request_for_a_token_is_none_about_the_message() -> None:
    class NoToken:
        live = False

        async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
            raise TransportError("timed out", sent=True)

    channel = Stepwise(SETTINGS, NoToken())
    assert await channel.send(make_message(address="anna")) == Retry(reason="timed out")


async def test_a_channel_may_judge_by_itself() -> None:
    outcome, _ = await send(Response(status=418), Stepwise)
    assert outcome == Rejected(reason="teapot", status=418)


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

    def _build(self, address: str) -> NotifyBase:
        self.made.append(address)
        return super()._build(address)


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
    assert channel._fill("a/b") == "jsons://h.example/{token}/a%2Fb"
