"""A Telegram bot whose requests are refused, seen on the real process.

The answers are Telegram's: https://core.telegram.org/bots/api#making-requests
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from router.core.model.refusals import FIRST_HOLD_S
from router.testing import ProviderReply
from tests.acceptance.client import call, payload, post, read_metrics, wait_for
from tests.acceptance.router_process import RouterProcess, live
from tests.acceptance.router_with_fakes import MODULE, divert
from tests.acceptance.webhook_gateway import Gateway, listening

pytestmark = pytest.mark.slow

RULES = """
version: 1
channels:
  bot:
    plugin: apprise
    url: tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/{to}
    concurrency: 1
rules:
  - {name: everything, send: [bot]}
"""
SERVED = range(1001, 1011)
"""The chats of ten people."""
ODD = 1000
"""The chat of one more, whose message is the oldest."""
RETRY_AFTER = {"Retry-After": "5"}
"""The provider asks for the shortest suspension that there is."""
BREAK_S = 4.0
"""Seconds between two requests that only a suspension explains."""


def refuse(
    status: int, description: str, headers: Mapping[str, str] | None = None
) -> ProviderReply:
    """Return an answer in which Telegram refuses a message."""
    told = {"ok": False, "error_code": status, "description": description}
    return ProviderReply(status=status, headers=dict(headers or {}), body=json.dumps(told).encode())


UNKNOWN = "Forbidden: of a kind that no table knows"
BLOCKED = "Forbidden: bot was blocked by the user"
DEACTIVATED = "Forbidden: user is deactivated"
TAKEN = ProviderReply(body=b'{"ok": true, "result": {"message_id": 3}}')


class Bot:
    """A router that serves, the people it knows, and the chats that its bot wrote to."""

    def __init__(self, router: RouterProcess, telegram: Gateway) -> None:
        self.router = router
        self._telegram = telegram

    @property
    def texts(self) -> list[str]:
        """Return the text of each request, in order."""
        return [body["text"] for body in self._telegram.taken]

    @property
    def chats(self) -> list[int]:
        """Return the chat of each request, in order."""
        return [body["chat_id"] for body in self._telegram.taken]

    def ask(self, path: str, body: object = None) -> dict[str, Any]:
        """Return the JSON of an answer, which must be 200."""
        status, told = call(f"{self.router.url}/v1/{path}", body)
        assert status == 200, told
        return told

    def enrol(self, *chats: int) -> None:
        """Import one recipient for each chat."""
        lines = ({"uid": f"{chat}", "contacts": {"apprise": f"{chat}"}} for chat in chats)
        body = "\n".join(map(json.dumps, lines)).encode()
        assert self.ask("recipients/import?appId=app", body)["bad"] == 0

    def pause(self) -> None:
        """Hold the channel, from when the worker has heard of it."""
        self.ask("channels/bot/pause", {"seconds": 600})
        held = 'router_channel_held{cause="paused",channel="bot"}'
        wait_for(lambda: read_metrics(self.router).get(held) == 1.0)

    def post(self, text: str, *chats: int) -> None:
        """Let a message to each chat be accepted and planned, in this order."""
        before = len(self.deliveries())
        for number, chat in enumerate(chats, before + 1):
            message = payload(text, uid=f"{chat}", number=number)
            assert post(self.router, json.dumps(message).encode()) == 200
        wait_for(lambda: len(self.deliveries()) == before + len(chats))

    def resume(self) -> None:
        """Let the channel go on at once."""
        self.ask("channels/bot/resume", {})

    def deliveries(self, state: str = "") -> list[dict[str, Any]]:
        """Return the deliveries, of a state if one is named."""
        items: list[dict[str, Any]] = self.ask("deliveries?limit=200")["items"]
        return [item for item in items if state in {"", item["state"]}]

    def holds(self) -> list[dict[str, Any]]:
        """Return what holds the channel."""
        (channel,) = self.ask("channels")["items"]
        holds: list[dict[str, Any]] = channel["holds"]
        return holds

    def contacts(self, chat: int) -> list[str]:
        """Return the kinds of contact that are known of the recipient of a chat."""
        return list(self.ask(f"recipients/{chat}?appId=app")["contacts"])

    def errors(self) -> list[dict[str, Any]]:
        """Return what the router has logged as an error."""
        lines = map(json.loads, self.router.log.read_text().splitlines())
        return [line for line in lines if line["level"] == "error"]


@contextmanager
def serving(folder: Path, answer: Callable[[list[int]], ProviderReply]) -> Iterator[Bot]:
    """Run a router whose Telegram answers as told by the chats asked for so far."""
    chats: list[int] = []

    def reply(body: dict[str, Any]) -> ProviderReply:
        chats.append(body["chat_id"])
        return answer(chats)

    with listening(reply) as telegram:
        (folder / "rules.yaml").write_text(RULES)
        diverted = divert(folder, {"api.telegram.org": telegram.url})
        settings = live(folder) | diverted | {"ROUTER_LOG_FORMAT": "json"}
        router = RouterProcess(folder, settings, module=MODULE)
        try:
            router.start()
            yield Bot(router, telegram)
        finally:
            router.kill()


def test_one_recipient_refused_for_an_unknown_reason_is_held_and_ten_others_are_served(
    tmp_path: Path,
) -> None:
    refused = {ODD}
    with serving(
        tmp_path, lambda chats: refuse(403, UNKNOWN) if chats[-1] in refused else TAKEN
    ) as bot:
        bot.enrol(ODD, *SERVED)
        bot.pause()
        bot.post("first", ODD, *SERVED)
        bot.resume()
        began = time.monotonic()
        wait_for(lambda: len(bot.deliveries("delivered")) == len(SERVED))
        bot.post("second", ODD, *SERVED)
        wait_for(lambda: len(bot.deliveries("delivered")) == 2 * len(SERVED))
        assert bot.chats[0] == ODD
        assert bot.chats.count(ODD) <= 1 + (time.monotonic() - began) / FIRST_HOLD_S
        held = bot.deliveries("waiting")
        assert [item["attempts"] for item in held] == [0, 0]
        assert {item["reason"] for item in held} == {"", "403 forbidden (403)"}
        assert bot.contacts(ODD) == ["apprise"]
        assert bot.holds() == []
        assert bot.errors() == []

        refused.clear()
        bot.resume()
        wait_for(lambda: not bot.deliveries("waiting") and not bot.deliveries("sending"))
        assert len(bot.deliveries("delivered")) == 2 * (len(SERVED) + 1)
        *_, first, second = bot.texts
        assert ("first" in first, "second" in second) == (True, True)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        pytest.param(refuse(401, "Unauthorized", RETRY_AFTER), 1, id="a wrong token"),
        pytest.param(
            refuse(403, UNKNOWN, RETRY_AFTER),
            3,  # as docs/decisions/0027-refused-recipients.md promises
            id="an unknown reason",
        ),
    ],
)
def test_when_everybody_is_refused_the_channel_is_suspended_once_and_all_is_delivered_after(
    tmp_path: Path, answer: ProviderReply, refused: int
) -> None:
    probes = 1
    times: list[float] = []

    def reply(chats: list[int]) -> ProviderReply:
        times.append(time.monotonic())
        return answer if len(chats) <= refused + probes else TAKEN

    with serving(tmp_path, reply) as bot:
        bot.enrol(*SERVED)
        bot.pause()
        bot.post("first", *SERVED)
        bot.resume()
        wait_for(lambda: bool(bot.errors()))
        assert len(bot.chats) >= refused
        wait_for(lambda: len(bot.deliveries("delivered")) == len(SERVED))
        tried = bot.chats
        assert len(tried) == len(SERVED) + refused + probes
        first = tried[: refused + probes + 1]
        assert len(set(first)) == len(first)
        breaks = [later - earlier >= BREAK_S for earlier, later in pairwise(times)]
        assert breaks.index(True) + 1 == refused
        assert {item["attempts"] for item in bot.deliveries()} == {1}
        assert {kind for chat in SERVED for kind in bot.contacts(chat)} == {"apprise"}
        (line,) = bot.errors()
        assert (line["event"], line["channel"]) == ("channel suspended", "bot")
        wait_for(lambda: bot.holds() == [])


@pytest.mark.parametrize(
    ("description", "contacts"),
    [
        pytest.param(BLOCKED, ["apprise"], id="blocked"),
        pytest.param(DEACTIVATED, [], id="deactivated"),
    ],
)
def test_who_blocked_the_bot_costs_one_dead_letter_and_nobody_else_anything(
    tmp_path: Path, description: str, contacts: list[str]
) -> None:
    with serving(
        tmp_path, lambda chats: refuse(403, description) if chats[-1] == ODD else TAKEN
    ) as bot:
        bot.enrol(ODD, *SERVED)
        bot.pause()
        bot.post("first", ODD, *SERVED)
        bot.resume()
        wait_for(lambda: len(bot.deliveries("delivered")) == len(SERVED))
        (dead,) = bot.deliveries("dead")
        assert [letter["id"] for letter in bot.ask("dead-letters")["items"]] == [dead["id"]]
        assert description.removeprefix("Forbidden: ") in dead["reason"]
        assert bot.chats == [ODD, *SERVED]
        assert bot.contacts(ODD) == contacts
        assert all(bot.contacts(chat) == ["apprise"] for chat in SERVED)
        assert bot.holds() == []
        assert bot.errors() == []
