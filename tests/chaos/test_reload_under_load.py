"""Posts are accepted at once while rules reload, garbage is collected and providers are slow.

The long form shows that no accept takes half a second in 300 s, or ROUTER_TEST_RELOAD_S, on a
machine that does nothing else. The short form allows for a busy machine: it bounds the processor
time that one turn of the event loop takes.
"""

import asyncio
import os
import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from router.bridge import Request
from router.testing import FakeProvider, ProviderReply
from tests import ROOT
from tests.acceptance import router_process as acceptance
from tests.acceptance.client import payload
from tests.acceptance.router_process import COMETCHAT, RouterProcess, live
from tests.acceptance.router_with_fakes import MODULE, divert
from tests.bridge.login_services import TAKEN
from tests.transport.scripted_smtp_server import Server

LONG_S = float(os.environ.get("ROUTER_TEST_RELOAD_S", "300"))
SHORT_S = 25.0
"""The first retired channel closes after 15 seconds, when its last send must be over."""

LONGEST_TURN_MS = 250
"""Processor time of one turn. 30 ms, up to 80, are seen: a collection of all garbage."""

PATIENCE_S = 120.0
"""Seconds that a busy machine may take to start the process, or to end it."""

RELOAD_S = 2.0
RATE = 20
SLOW_S = 1.0

RULES = """
version: 1
channels:
  chat: {{plugin: apprise, url: "matrix://user:pass{number}@matrix.example/%23ops", timeout: 10}}
  team: {{plugin: slack, url: "https://hooks.slack.com/services/T00000000/B00000000/\
XXXXXXXXXXXXXXXXXXXX{number:04}", timeout: 4}}
  mail: {{plugin: apprise, url: "mailto://a@b.example?smtp=127.0.0.1&port={port}\
&mode=insecure&to=c{number}@b.example", fixed: true, timeout: 4}}
  garbage: {{plugin: collecting}}
rules:
  - name: everything
    send: [chat, team, mail, garbage]
"""


class SlowProvider(FakeProvider):
    """Takes a second for everything, and longer for a logout."""

    def __init__(self, logout: float) -> None:
        super().__init__(answer=say)
        self.logouts = 0
        self._logout = logout

    async def _handle(self, message: Any) -> Any:  # noqa: ANN401 - aiohttp's types
        is_logout = message.path.endswith("/logout")
        self.logouts += is_logout
        response = await super()._handle(message)
        await asyncio.sleep(self._logout if is_logout else SLOW_S)
        return response


def say(request: Request) -> ProviderReply:
    """Answer as Slack and a homeserver do that took what they were asked."""
    is_slack = "hooks.slack.com" in request.url
    return ProviderReply(body=b"ok" if is_slack else msgspec.json.encode(TAKEN))


class SlowMail(Server):
    """Takes a second for a mail."""

    async def handle_DATA(self, dialogue: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        await asyncio.sleep(SLOW_S)
        return await super().handle_DATA(dialogue, session, envelope)


async def post(url: str, until: float) -> list[float]:
    """Post at a steady rate; return the seconds that each accept took."""
    took: list[float] = []

    async def once(session: aiohttp.ClientSession, number: int) -> None:
        began = time.monotonic()
        body = payload(f"message {number}", uid=f"uid-{number % 50}", number=number)
        async with session.post(url + "/webhook", json=body) as response:
            assert response.status == 200, await response.text()
        took.append(time.monotonic() - began)

    async with aiohttp.ClientSession(headers=COMETCHAT) as session, asyncio.TaskGroup() as posts:
        number = 0
        while time.monotonic() < until:
            posts.create_task(once(session, number))
            number += 1
            await asyncio.sleep(1 / RATE)
    return took


@pytest.mark.parametrize(
    ("seconds", "slowest", "logout"),
    [
        # on a busy machine an accept may take seconds, and never as long as a logout
        pytest.param(SHORT_S, 10.0, 20.0, id="short"),
        pytest.param(LONG_S, 0.5, 3.0, id="long", marks=pytest.mark.long),
    ],
)
async def test_no_accept_waits_for_a_reload_or_a_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, slowest: float, logout: float
) -> None:
    monkeypatch.setattr(acceptance, "PATIENCE", PATIENCE_S)
    rules = tmp_path / "rules.yaml"
    async with SlowProvider(logout) as provider, SlowMail() as mail:
        rules.write_text(RULES.format(number=0, port=mail.port))
        fakes = {"matrix.example": provider.url, "hooks.slack.com": provider.url}
        settings = live(tmp_path) | divert(tmp_path, fakes)
        settings["ROUTER_PLUGINS_DIR"] = str(ROOT / "tests/testdata/collecting")
        process = RouterProcess(tmp_path, settings, module=MODULE)
        try:
            await asyncio.to_thread(process.start)
            posting = asyncio.create_task(post(process.url, time.monotonic() + seconds))
            edits = 0
            while not posting.done():
                await asyncio.wait({posting}, timeout=RELOAD_S)
                edits += 1
                rules.write_text(RULES.format(number=edits, port=mail.port))
            took = await posting
            await asyncio.to_thread(process.end)
        finally:
            process.kill()
    log = process.log.read_text()
    reloads = log.count("rules reloaded")
    turns = [int(number) for number in re.findall(r"longest turn (\d+) ms", log)]
    assert len(turns) == 1, "the channel whose settings stay the same stays open"
    print(  # noqa: T201 - the record of the run, shown by pytest -s
        f"\nreload under load: {seconds:g} s, {len(took)} accepted, slowest {max(took):.3f} s,"
        f" longest turn {turns[0]} ms of processor time,"
        f" {reloads} rulesets in force, {provider.logouts} logouts,"
        f" {len(provider.requests)} requests, {len(mail.mails)} mails"
    )
    assert reloads > 2
    assert provider.logouts > 0
    assert mail.mails
    assert any("hooks.slack.com" in request.url for request in provider.requests)
    assert turns[0] < LONGEST_TURN_MS
    assert max(took) < slowest
