"""From the webhook to the log: what a provider answers, and the state it ends in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from router.app import ChannelFactory, Router
from router.settings import read_environment
from router.store.db.database import Database
from router.store.log.log import DeliveryLog, DeliveryTrail
from router.store.recipients.repository import ProfilePatch, Recipients, Registration
from router.testing import ProviderReply
from router.transport.http import AiohttpTransport
from router.web.server import HttpServer, listen
from tests.acceptance.client import post_sample
from tests.acceptance.router_process import live
from tests.conftest import url_of
from tests.fakes.fcm import QUOTA, UNAUTHENTICATED, UNREGISTERED, Fcm
from tests.fakes.mail import MailServer
from tests.fakes.slack import Slack
from tests.fakes.twilio import Twilio, refuse

UID, APP = "cometchat-uid-2", "app123"
RULES = """
version: 1
channels:
  push: {{plugin: push, timeout: 2, fcm: {{service_account: "${{file:{account}}}"}}}}
  sms: {{plugin: sms, timeout: 2, url: "{twilio}"}}
  slack: {{plugin: slack, timeout: 2, url: "slack://{bot}/%23support"}}
  email: {{plugin: email, timeout: 2, url: "{mail}&to={{to}}"}}
rules:
  - name: only
    send: [{channel}]
"""
HANG, RESET = ProviderReply(fault="hang"), ProviderReply(fault="reset")
LATER = ProviderReply(status=429, headers={"Retry-After": "30"})
DOWN = ProviderReply(status=500)
NOT_OK = ProviderReply(
    headers={"Content-Type": "application/json"}, body=b'{"ok":false,"error":"is_archived"}'
)
GONE = ProviderReply(status=410)


@dataclass
class Harness:
    """The providers, and how to run the router on them."""

    folder: Path
    database: str
    fcm: Fcm
    twilio: Twilio
    slack: Slack
    mail: MailServer

    def script(self, channel: str, reply: ProviderReply | str) -> None:
        """Let a channel's provider answer so, whatever it is asked."""
        if isinstance(reply, str):
            self.mail.at_rcpt = reply
        elif channel == "push":
            self.fcm.send_script = [reply] * 3
        else:
            {"sms": self.twilio, "slack": self.slack}[channel].say([reply] * 3)

    def write_rules(self, channel: str) -> None:
        account = self.folder / "account.json"
        account.write_text(self.fcm.service_account)
        twilio, mail = self.twilio.apprise_url, self.mail.apprise_url
        text = RULES.format(
            account=account, twilio=twilio, bot=self.slack.bot_token, mail=mail, channel=channel
        )
        (self.folder / "rules.yaml").write_text(text)

    async def deliver(self, channel: str) -> tuple[DeliveryTrail, int]:
        """Post one payload to a live router; return its delivery and how many devices are left."""
        self.write_rules(channel)
        environment, _ = read_environment(live(self.folder, self.database))
        fakes = (self.fcm, self.twilio, self.slack)
        transport = AiohttpTransport(rewrite={h: fake.url for fake in fakes for h in fake.hosts})
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transport.aclose)
            database = await Database.open(self.database)
            stack.push_async_callback(database.close)
            recipients = Recipients(database)
            device = Registration(platform="fcm_android", address="token-1", auth_token="session-1")
            await recipients.register(UID, device, APP)
            contacts: dict[str, str | None] = {"sms": "+12125550123", "email": "ann@example.com"}
            await recipients.put(UID, ProfilePatch(contacts=contacts), APP)
            router = Router(environment, database, ChannelFactory(live=transport))
            stack.push_async_callback(router.aclose)
            listener = stack.enter_context(listen("127.0.0.1", 0))
            server = HttpServer(router.site, grace=1)
            serving = asyncio.create_task(server.serve([listener]))
            await server.listening.wait()
            await router.start()
            await post_sample(f"http://127.0.0.1:{listener.getsockname()[1]}")
            trail = await _tried(DeliveryLog(database))
            server.stop()
            await serving
            known = await recipients.get(UID, APP)
            assert known is not None
            return trail, sum(contact.kind == "push" for contact in known.contacts)


async def _tried(log: DeliveryLog) -> DeliveryTrail:
    """Return the one delivery once its first attempt is written."""
    async with asyncio.timeout(20):
        while True:
            page = await log.deliveries()
            if page.items and await log.attempts(page.items[0].id):
                trail = await log.delivery(page.items[0].id)
                assert trail is not None
                return trail
            await asyncio.sleep(0.02)


@pytest.fixture
async def harness(tmp_path: Path, database_file: Path) -> AsyncIterator[Harness]:
    async with Fcm() as fcm, Twilio() as twilio, Slack() as slack, MailServer() as mail:
        yield Harness(tmp_path, url_of(database_file), fcm, twilio, slack, mail)


@pytest.mark.parametrize(
    ("channel", "reply", "outcome", "state"),
    [
        ("push", None, "delivered", "delivered"),
        ("sms", None, "delivered", "delivered"),
        ("slack", None, "delivered", "delivered"),
        ("email", None, "delivered", "delivered"),
        ("push", QUOTA, "retry", "waiting"),
        ("sms", LATER, "retry", "waiting"),
        ("slack", LATER, "retry", "waiting"),
        ("email", "451 4.7.1 try again later", "retry", "waiting"),
        ("push", UNAUTHENTICATED, "suspend", "waiting"),
        ("sms", refuse(401, 20003, "Authenticate"), "suspend", "waiting"),
        ("push", UNREGISTERED, "rejected", "dead"),
        ("sms", refuse(400, 21211, "Invalid 'To'"), "rejected", "dead"),
        ("slack", GONE, "suspend", "waiting"),
        ("email", "550 5.1.1 no such user", "rejected", "dead"),
        ("push", DOWN, "retry", "waiting"),
        ("sms", DOWN, "retry", "waiting"),
        ("slack", DOWN, "retry", "waiting"),
        ("sms", HANG, "unknown", "dead"),
        ("push", HANG, "unknown", "dead"),
        ("sms", RESET, "unknown", "dead"),
        ("slack", NOT_OK, "rejected", "dead"),
    ],
)
async def test_each_answer_of_a_provider_ends_in_its_state(
    harness: Harness, channel: str, reply: ProviderReply | str | None, outcome: str, state: str
) -> None:
    if reply is not None:
        harness.script(channel, reply)
    trail, devices = await harness.deliver(channel)
    assert (trail.attempts[0].outcome, trail.delivery.state) == (outcome, state), trail
    throttled = trail.attempts[0].status == 429
    counted = 0 if outcome == "suspend" or throttled else 1
    assert trail.delivery.attempts == counted
    assert devices == (0 if reply is UNREGISTERED else 1)
    if outcome == "unknown":
        assert trail.delivery.reason == "may_have_arrived"
    if reply is LATER:
        assert trail.delivery.due_at - trail.attempts[0].ended_at >= 30
    shown = msgspec.json.encode(trail).decode()
    for secret in (harness.twilio.token, harness.slack.bot_token, harness.mail.password, "token-1"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("channel", "reply", "outcome", "state"),
    [
        ("sms", None, "delivered", "delivered"),
        ("sms", LATER, "retry", "waiting"),
        ("push", UNAUTHENTICATED, "suspend", "waiting"),
        ("push", UNREGISTERED, "rejected", "dead"),
    ],
)
async def test_on_postgresql_each_answer_ends_in_the_same_state(
    harness: Harness,
    postgres_url: str,
    *,
    channel: str,
    reply: ProviderReply | None,
    outcome: str,
    state: str,
) -> None:
    harness.database = postgres_url
    await test_each_answer_of_a_provider_ends_in_its_state(harness, channel, reply, outcome, state)
