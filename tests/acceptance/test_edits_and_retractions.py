"""What was shown is edited and removed at its provider, and what rang is told to stop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from router.app import ChannelFactory, Router
from router.settings import read_environment
from router.store.db.database import Database
from router.store.log.items import DeliveryItem
from router.store.log.log import DeliveryLog
from router.store.recipients.repository import Recipients, Registration
from router.testing import ProviderReply
from router.transport.http import AiohttpTransport
from router.web.server import HttpServer, listen
from tests.acceptance.client import call, payload, wait_for
from tests.acceptance.router_process import COMETCHAT, RouterProcess, live
from tests.acceptance.router_with_fakes import MODULE, divert
from tests.conftest import url_of
from tests.fakes.answer import read_json
from tests.fakes.fcm import Fcm
from tests.fakes.slack import Slack

RULES = """
version: 1
channels:
  app: {{plugin: push, timeout: 2, fcm: {{service_account: "${{file:{account}}}"}}}}
  room: {{plugin: slack, timeout: 20, bot_token: {bot}, channel: "#support"}}
rules:
{rules}
"""
ROOM = """
  - name: support
    when: {kind: [message, edit]}
    send: [{channel: room, once_per: message, title: "{{ senderName }}"}]
"""
RING = """
  - name: call
    when: {type: call, callAction: initiated}
    send: [{channel: app, to: recipient}]
"""
CHAT = """
  - name: chat
    when: {kind: message}
    send: [app]
"""


SENT_AT = str(round(time.time() * 1000))
"""The same for all who get a message: it is one."""


@dataclass
class Harness:
    """The providers, and a router that runs on them."""

    folder: Path
    database: str
    slack: Slack
    fcm: Fcm

    def write(self, rules: str) -> None:
        account = self.folder / "account.json"
        account.write_text(self.fcm.service_account)
        text = RULES.format(account=account, bot=self.slack.bot_token, rules=rules)
        (self.folder / "rules.yaml").write_text(text)

    @asynccontextmanager
    async def serving(self, rules: str) -> AsyncIterator["Running"]:
        self.write(rules)
        environment, _ = read_environment(live(self.folder, self.database))
        fakes = (self.fcm, self.slack)
        transport = AiohttpTransport(rewrite={h: fake.url for fake in fakes for h in fake.hosts})
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transport.aclose)
            database = await Database.open(self.database)
            stack.push_async_callback(database.close)
            router = Router(environment, database, ChannelFactory(live=transport))
            stack.push_async_callback(router.aclose)
            listener = stack.enter_context(listen("127.0.0.1", 0))
            server = HttpServer(router.site, grace=1)
            serving = asyncio.create_task(server.serve([listener]))
            await server.listening.wait()
            await router.start()
            yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}/webhook", database)
            server.stop()
            await serving


@dataclass
class Running:
    """A router that runs: where payloads go, and what it wrote down."""

    url: str
    database: Database

    async def say(self, *bodies: dict[str, Any]) -> None:
        async with aiohttp.ClientSession(headers=COMETCHAT) as session:
            for body in bodies:
                async with session.post(self.url, json=body) as answer:
                    assert answer.status == 200, await answer.text()

    async def register(self, *uids: str) -> None:
        recipients = Recipients(self.database)
        for uid in uids:
            device = Registration(platform="fcm_android", address=f"of-{uid}", auth_token=uid)
            await recipients.register(uid, device, "app")

    async def settled(self, count: int) -> list[DeliveryItem]:
        """Return the deliveries in their order, once there are so many and all have ended."""
        log = DeliveryLog(self.database)
        async with asyncio.timeout(20):
            while True:
                items = (await log.deliveries()).items
                if len(items) >= count and all(
                    i.state not in {"waiting", "sending"} for i in items
                ):
                    assert len(items) == count, items
                    return sorted(items, key=lambda item: item.id)
                await asyncio.sleep(0.02)


def message(text: str, uid: str) -> dict[str, Any]:
    body = payload(text, uid=uid, number=7)
    details = body["data"]["notificationDetails"]
    room = {"receiver": "room", "receiverType": "group", "conversationId": "group_room"}
    details |= room | {
        "sentAt": SENT_AT,
        "sender": "zoe",
        "senderName": "Zoe",
        "message": {"id": "7"},
    }
    return body


def change(action: str, text: str, uid: str) -> dict[str, Any]:
    body = message(text, uid)
    on = {"on": {"entity": {"id": "7"}}}
    told = {"category": "action", "type": "message", "data": {"action": action, "entities": on}}
    body["data"]["notificationDetails"]["message"] = {"id": "8", **told}
    return body


def ring(action: str, uid: str, sender: str = "zoe") -> dict[str, Any]:
    body = payload("VIDEO CALL", uid=uid)
    body["data"]["notificationDetails"] |= {
        "type": "call",
        "callAction": action,
        "callType": "video",
        "sessionId": "v1.7",
        "sender": sender,
        "sentAt": str(round(time.time() * 1000)),
        "unreadMessageCount": 3,
    }
    return body


@pytest.fixture
async def harness(tmp_path: Path, database_file: Path) -> AsyncIterator[Harness]:
    async with Slack() as slack, Fcm() as fcm:
        yield Harness(tmp_path, url_of(database_file), slack, fcm)


MEMBERS = ("ann", "ben", "cleo")


async def test_a_room_s_one_message_is_edited_and_removed_whoever_restarts(
    harness: Harness,
) -> None:
    async with harness.serving(ROOM) as router:
        await router.say(*(message("Helo", uid) for uid in MEMBERS))
        await router.settled(3)
    (first,) = harness.slack.shown.values()
    assert first == {"text": "*Zoe*\nHelo"}
    async with harness.serving(ROOM) as router:
        await router.say(*(change("edited", "Hello", uid) for uid in reversed(MEMBERS)))
        await router.settled(6)
        assert list(harness.slack.shown.values()) == [{"text": "*Zoe*\nHello"}]
        await router.say(*(change("deleted", "gone", uid) for uid in MEMBERS))
        items = await router.settled(7)
    assert harness.slack.shown == {}
    assert len(harness.slack.requests) == 3
    told = [(item.operation, item.state) for item in items if item.state == "delivered"]
    assert told == [(each, "delivered") for each in ("send", "update", "retract")]
    original = next(item.id for item in items if item.state == "delivered")
    assert {item.original for item in items if item.original} == {original}
    assert harness.slack.bot_token not in msgspec.json.encode(items).decode()


async def test_on_postgresql_a_room_s_message_is_edited_and_removed_in_the_same_way(
    harness: Harness, postgres_url: str
) -> None:
    harness.database = postgres_url
    await test_a_room_s_one_message_is_edited_and_removed_whoever_restarts(harness)


async def test_what_comes_while_the_message_is_being_sent_waits_for_its_handle(
    harness: Harness,
) -> None:
    harness.slack.say([ProviderReply(status=500)])
    async with harness.serving(ROOM) as router:
        await router.say(message("Helo", "ann"), change("edited", "Hello", "ann"))
        first, second = await router.settled(2)
    assert list(harness.slack.shown.values()) == [{"text": "*Zoe*\nHello"}]
    assert "delivered" in {first.state, second.state}


async def test_an_edit_finds_its_message_though_the_process_is_killed_while_it_is_sent(
    harness: Harness,
) -> None:
    harness.write(ROOM)
    harness.slack.say([ProviderReply(fault="hang")])
    fakes = dict.fromkeys(harness.slack.hosts, harness.slack.url)
    settings = live(harness.folder, harness.database) | divert(harness.folder, fakes)
    process = RouterProcess(harness.folder, settings, module=MODULE)

    def say(*bodies: dict[str, Any]) -> None:
        for body in bodies:
            assert call(f"{process.url}/webhook", body, COMETCHAT)[0] == 200

    def states() -> list[tuple[str, str]]:
        items = call(f"{process.url}/v1/deliveries")[1]["items"]
        return [(item["operation"], item["state"]) for item in reversed(items)]

    def story() -> None:
        process.start()
        say(message("Helo", "ann"))
        wait_for(lambda: states() == [("send", "sending")])
        say(change("edited", "Hello", "ann"))
        wait_for(lambda: states() == [("send", "sending"), ("update", "waiting")])
        process.kill()
        process.start()
        wait_for(lambda: states() == [("send", "delivered"), ("update", "delivered")])

    try:
        await asyncio.to_thread(story)
    finally:
        process.kill()
    assert list(harness.slack.shown.values()) == [{"text": "*Zoe*\nHello"}]


async def test_an_edit_that_slack_refuses_is_a_dead_letter_and_no_new_message(
    harness: Harness,
) -> None:
    async with harness.serving(ROOM) as router:
        await router.say(message("Helo", "ann"))
        await router.settled(1)
        harness.slack.shown.clear()
        await router.say(change("edited", "Hello", "ann"))
        _, edit = await router.settled(2)
    assert (edit.operation, edit.state) == ("update", "dead")
    assert "message_not_found" in edit.reason or edit.attempts == 1
    assert harness.slack.shown == {}


async def test_the_end_of_a_call_stops_the_devices_that_rang_though_no_rule_names_it(
    harness: Harness,
) -> None:
    async with harness.serving(RING) as router:
        await router.register("ann", "ben")
        await router.say(ring("initiated", "ann"))
        await router.settled(1)
        await router.say(ring("cancelled", "zoe"), ring("cancelled", "ann"), ring("ended", "ann"))
        items = await router.settled(2)
    assert [item.operation for item in items] == ["send", "retract"]
    rang, stop = (read_json(request)["message"] for request in harness.fcm.sends)
    assert isinstance(rang, dict)
    assert isinstance(stop, dict)
    assert rang["token"] == stop["token"] == "of-ann"
    assert "notification" not in stop
    assert stop["android"]["priority"] == "HIGH"
    assert stop["android"]["collapse_key"] == rang["android"]["collapse_key"]
    assert 45 < float(stop["android"]["ttl"].rstrip("s")) <= 90
    assert (stop["data"]["callAction"], stop["data"]["sessionId"]) == ("cancelled", "v1.7")
    assert rang["data"]["unreadMessageCount"] == "3"
    assert not {"unreadMessageCount", "badge"} & stop["data"].keys(), "those are somebody else's"


async def test_a_device_takes_back_what_it_shows_though_no_rule_names_the_deletion(
    harness: Harness,
) -> None:
    async with harness.serving(CHAT) as router:
        await router.register("ann")
        await router.say(message("Hello", "ann"))
        await router.settled(1)
        await router.register("ben")
        await router.say(change("deleted", "gone", "ann"), change("deleted", "gone", "ben"))
        items = await router.settled(2)
    assert [item.operation for item in items] == ["send", "retract"]
    shown, gone = (read_json(request)["message"] for request in harness.fcm.sends)
    assert isinstance(shown, dict)
    assert isinstance(gone, dict)
    assert shown["token"] == gone["token"] == "of-ann"
    assert "notification" not in gone
