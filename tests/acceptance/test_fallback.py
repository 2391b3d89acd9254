"""Who is reached on no device gets a text at once; who is reached on one gets none."""

from pathlib import Path

from router.testing import ProviderReply
from tests.acceptance.phones import APP, Phones, chat, phones
from tests.acceptance.recorded_pushes import apple
from tests.fakes import apns, fcm

UID = "ben"
NUMBER = "+12125550123"
PHONE, TABLET = apple("phone"), "tablet"
SOON = 3.0
"""Seconds in which a text follows on a busy machine; a tenth of one is the rule."""
RULES = """
rules:
  - name: message
    send:
      - app
      - {channel: text, unless: {delivered: app}}
"""


async def log_in(harness: Phones) -> None:
    """Register an iPhone, an Android tablet and a browser of one user, and a number."""
    number = {"appId": APP, "contacts": {"sms": NUMBER}}
    await harness.ask("PUT", f"/v1/recipients/{UID}", number)
    await harness.log_in(UID, "apns_ios_device", PHONE)
    await harness.log_in(UID, "fcm_android", TABLET)
    await harness.log_in_browser(UID)


async def test_when_every_device_is_gone_a_text_goes_at_once(tmp_path: Path) -> None:
    async with phones(tmp_path, RULES) as harness:
        await log_in(harness)
        harness.apns.refused[PHONE] = apns.refuse(410, "Unregistered")
        harness.fcm.refused[TABLET] = fcm.UNREGISTERED
        harness.browsers.say([ProviderReply(status=410)])
        await harness.post(chat(UID, "first"))
        items = await harness.settled(4)
        states = {(item["channel"], item["state"]) for item in items}
        assert states == {("app", "dead"), ("text", "delivered")}
        *tried, text = harness.wire.pushes
        assert {push.token for push in tried} == {PHONE, TABLET}
        assert text.token == NUMBER
        assert text.at - max(push.at for push in tried) < SOON
        assert await harness.devices(UID) == 0
        await harness.post(chat(UID, "second"))
        await harness.wire.until(lambda: len(harness.wire.to(NUMBER)) == 2)
        assert len(harness.wire.pushes) == 4


async def test_when_one_device_is_reached_no_text_goes(tmp_path: Path) -> None:
    async with phones(tmp_path, RULES) as harness:
        await log_in(harness)
        harness.apns.refused[PHONE] = apns.refuse(410, "Unregistered")
        harness.browsers.say([ProviderReply(status=410)])
        await harness.post(chat(UID, "first"))
        items = await harness.settled(4)
        ends = sorted((item["channel"], item["state"], item["reason"]) for item in items)
        assert [end[:2] for end in ends] == [
            ("app", "dead"),
            ("app", "dead"),
            ("app", "delivered"),
            ("text", "cancelled"),
        ]
        assert ends[-1][2] == "unless: delivered app"
        assert harness.wire.to(NUMBER) == []


async def test_while_a_device_may_still_be_reached_the_text_stands_by(tmp_path: Path) -> None:
    async with phones(tmp_path, RULES) as harness:
        await log_in(harness)
        harness.apns.refused[PHONE] = apns.refuse(503, "ServiceUnavailable")
        harness.fcm.refused[TABLET] = fcm.UNREGISTERED
        harness.browsers.say([ProviderReply(status=410)])
        await harness.post(chat(UID, "first"))
        await harness.wire.until(lambda: bool(harness.wire.to(PHONE)))
        harness.apns.refused[PHONE] = apns.refuse(410, "Unregistered")
        await harness.settled(4)
        tokens = [push.token for push in harness.wire.pushes if push.token != TABLET]
        assert tokens == [PHONE, PHONE, NUMBER]
