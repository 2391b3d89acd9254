"""Plugins that fold, crash, keep silent, or take more than one request."""

from collections.abc import Sequence

from apprise.plugins.custom_json import NotifyJSON

from router import Message, Outcome, Rejected, Retry, Unknown
from router.bridge import Build, Exchange, Request, Response, TransportError, requests
from router.testing import make_message
from tests.bridge.json_channel import OK, SETTINGS, Json, send


class Folding(NotifyJSON):
    """A provider without titles."""

    title_maxlen = 0
    body_maxlen = 10


class Folded(Json):
    """By class, with the title in the body."""

    def choose_plugin(self, message: Message) -> Build:
        return Folding, {"host": "x.example", "payload": {":place": message.address}}


async def test_a_title_that_the_provider_lacks_leads_the_body() -> None:
    _, carried = await send(OK, Folded, title="Ben", body="Lunch today?")
    assert b'"Ben\\r\\nLunc\\u2026"' in carried[0].body


class Crashing(NotifyJSON):
    """A plugin with a fault of its own."""

    def send(self, *words: object, **options: object) -> bool:
        super().send(*words, **options)
        raise KeyError("p@ss/w&rd?x=1")


class Crash(Folded):
    """By a plugin that crashes once it has sent."""

    def choose_plugin(self, message: Message) -> Build:
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

    def choose_plugin(self, message: Message) -> Build:
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

    def choose_plugin(self, message: Message) -> Build:
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

    def choose_plugin(self, message: Message) -> Build:
        return TwoStep, {"host": "x.example", "payload": {":place": message.address}}

    def carries_message(self, request: Request) -> bool:
        return "token" not in request.url

    def classify(self, exchanges: Sequence[Exchange]) -> Outcome | None:
        lost = len(exchanges) == 2 and exchanges[1].status == 418
        return Rejected(reason="teapot", status=418) if lost else None


async def test_a_doubt_about_a_request_for_a_token_is_none_about_the_message() -> None:
    class NoToken:
        is_live = False

        async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
            raise TransportError("timed out", sent=True)

    channel = Stepwise(SETTINGS, NoToken())
    assert await channel.send(make_message(address="anna")) == Retry(reason="timed out")


async def test_a_channel_may_judge_by_itself() -> None:
    outcome, _ = await send(Response(status=418), Stepwise)
    assert outcome == Rejected(reason="teapot", status=418)
