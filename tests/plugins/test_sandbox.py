"""Sandbox mode: with stand-ins for its settings, every channel delivers and shows no secret."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from router import Channel, Delivered
from router.bridge import RecordedExchange, Request, Response, SandboxTransport, collect_secrets
from router.plugins.apprise.channel import Apprise
from router.plugins.email import Email
from router.plugins.push.channel import Push
from router.plugins.slack import Slack
from router.plugins.sms.channel import Sms
from router.plugins.webhook import Webhook
from router.registry import PluginSchema
from tests import TESTDATA
from tests.plugins.opening import make_message, read_settings

SERVICES: dict[str, dict[str, str]] = msgspec.json.decode((TESTDATA / "services.json").read_bytes())


async def play(
    channel: type[Channel[Any]], settings: Mapping[str, object], address: str
) -> list[RecordedExchange]:
    """Send one message in the sandbox and return what would have gone out."""
    exchanges: list[RecordedExchange] = []
    read = read_settings(channel, settings)

    def answer(request: Request) -> Response:
        return opened.sandbox(request)

    transport = SandboxTransport(
        answer,
        exchanges.append,
        channel=channel.name,
        secrets=collect_secrets(read),
    )
    opened = channel(read, transport)
    outcome = await opened.send(make_message(address=address))
    await opened.aclose()
    assert isinstance(outcome, Delivered), outcome
    return exchanges


@pytest.mark.parametrize(
    ("channel", "missing", "address", "host"),
    [
        (Push, "fcm.service_account", "dXJk-1:APA91bH", "fcm.googleapis.com"),
        (Sms, "url", "+12125550123", "api.twilio.com"),
        (Slack, "url", "", "hooks.slack.com"),
        (Slack, "bot_token", "C0123456789", "slack.com"),
        (Email, "url", "george@example.org", "mail.example"),
        (Webhook, "url", "", "gateway.example"),
        (Apprise, "url", "", "notify.example"),
    ],
)
async def test_a_channel_without_its_secrets_shows_what_would_go_out(
    channel: type[Channel[Any]], missing: str, address: str, host: str
) -> None:
    stand_in: object = PluginSchema(channel).placeholder(missing)
    for key in reversed(missing.split(".")):
        stand_in = {key: stand_in}
    assert isinstance(stand_in, dict)
    exchanges = await play(channel, stand_in, address)
    assert host in exchanges[-1].request.url
    assert "Hello" in exchanges[-1].request.body.decode()


@pytest.mark.parametrize("name", [name for name in SERVICES if "slack" not in name])
async def test_the_sandbox_answers_for_any_service(name: str) -> None:
    assert await play(Apprise, {"url": SERVICES[name]["url"], "fixed": True}, "")
