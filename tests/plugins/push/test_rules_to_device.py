"""From the rules to the device: the badge, the language, and what privacy keeps back."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from router import Delivered, Delivery, Notification
from router.core.decide.decide import decide
from router.core.decide.render import render
from router.core.loading import load
from router.core.model.facts import Contact, DecisionState, Device, Recipient
from router.plugins.push.channel import Push
from router.registry import PluginSchema
from tests.fakes.answer import read_json
from tests.fakes.apns import Apns, make_settings
from tests.fakes.fcm import Fcm
from tests.plugins.opening import open_channel, read_sample

SECRET = "the-secret-word"
EVERY = "rules: [{name: all, send: [app]}]"


def device(platform: str, locale: str = "") -> Contact:
    address = "a" * 64 if platform.startswith("apns") else f"{platform}:1"
    return Contact(
        id=platform, kind="push", address=address, device=Device(platform=platform, locale=locale)
    )


DEVICES = tuple(map(device, ("fcm_android", "fcm_ios", "fcm_web", "apns_ios_device")))


class Harness:
    """A push channel on both providers, and rules that send to it."""

    def __init__(self, push: Push, settings: dict[str, Any], fcm: Fcm, apns: Apns) -> None:
        self.push = push
        self.settings = settings
        self.fcm = fcm
        self.apns = apns

    async def tell(
        self, rules: str, notification: Notification, *devices: Contact
    ) -> dict[str, dict[str, Any]]:
        """Send what the rules make of a notification; return each device's body, by platform."""
        channels = {"app": {"plugin": "push", **self.settings}}
        loaded = load(
            f"version: 1\nchannels: {msgspec.json.encode(channels).decode()}\n{rules}",
            file="rules.yaml",
            plugins={"push": PluginSchema(Push)},
            resolve=lambda _, name, __: name,
        )
        assert loaded.ruleset is not None, loaded.problems
        ann = Recipient(app_id=notification.app_id, uid=notification.uid, contacts=devices)
        facts, now = (
            DecisionState(recipients={(ann.app_id, ann.uid): ann}),
            notification.accepted_at,
        )
        decision = decide(notification, loaded.ruleset, facts, now)
        found = {}
        for planned, contact in zip(decision.deliveries, devices, strict=True):
            rendered = render(planned, notification, ann, loaded.ruleset, now)
            delivery = Delivery(
                id=planned.id,
                notification=notification.id,
                rule=planned.rule,
                step=planned.step,
                channel=planned.channel,
                due_at=planned.due_at,
                expires_at=planned.expires_at,
                priority=planned.priority,
                privacy=planned.privacy,
                collapse=planned.collapse,
                content=rendered.content,
            )
            message = delivery.address_to(notification, contact.address, contact.device)
            assert isinstance(await self.push.send(message), Delivered)
            is_apple = contact.id.startswith("apns")
            sent = self.apns.requests[-1] if is_apple else self.fcm.sends[-1]
            found[contact.id] = read_json(sent)
        return found


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Fcm() as fcm, Apns() as apns:
        account = {"service_account": fcm.service_account, "notification_block": True}
        settings = {"fcm": account, "apns": make_settings(), "timeout": 2.0}
        async with open_channel(Push, settings, fcm, apns) as push:
            yield Harness(push, settings, fcm, apns)


async def test_the_badge_is_the_unread_count_unless_the_rules_say_otherwise(
    harness: Harness,
) -> None:
    async def badges(step: str) -> list[object]:
        rules = f"rules: [{{name: all, send: [{step}]}}]"
        sent = await harness.tell(rules, read_sample("push_chat_one_on_one"), *DEVICES)
        android, fcm_apple = sent["fcm_android"]["message"], sent["fcm_ios"]["message"]
        return [
            android["android"]["notification"].get("notification_count"),
            fcm_apple["apns"]["payload"]["aps"].get("badge"),
            sent["apns_ios_device"]["aps"].get("badge"),
            android["data"].get("badge"),
        ]

    assert await badges("app") == [5, 5, 5, "5"]
    assert await badges("{channel: app, badge: 7}") == [7, 7, 7, "7"]
    assert await badges('{channel: app, badge: ""}') == [None, None, None, None]


def infect(value: object) -> object:
    """Return a value with every text in it but ids replaced by the secret."""
    match value:
        case dict():
            kept = {name: inner for name, inner in value.items() if name == "id"}
            return {name: infect(inner) for name, inner in value.items()} | kept
        case list():
            return [infect(inner) for inner in value]
        case str():
            return SECRET
        case _:
            return value


NAMES = ("title", "senderName", "receiverName", "senderAvatar", "receiverAvatar")
RULES = """
enrich: [{title: "{{ title }} {{ body }} {{ custom.a }}", body: "{{ message.data.text }}"}]
rules:
  - name: all
    enrich:
      data: {note: "{{ body }}", title_loc_key: X, title_loc_arg_1: "{{ senderName }}"}
      link: "https://a.b/{{ custom.a }}"
      image: "https://a.b/{{ custom.a }}"
      sound: "{{ custom.a }}"
    send: [{channel: app, privacy: PRIVACY}]
"""


@pytest.mark.parametrize(("privacy", "hidden"), [("no_body", ()), ("no_content", NAMES)])
@pytest.mark.parametrize(
    "sample", ["push_chat_one_on_one_message_and_custom", "push_chat_group_message_object"]
)
async def test_nothing_that_privacy_keeps_back_stands_anywhere_in_what_goes_out(
    harness: Harness, sample: str, privacy: str, hidden: tuple[str, ...]
) -> None:
    told = read_sample(sample)
    kept = ("body", "message", "custom", "somethingNew", *hidden)
    secret = infect({name: told.details.get(name, "x") for name in kept} | {"custom": {"a": "x"}})
    assert isinstance(secret, dict)
    details = {**told.details, **dict.fromkeys(NAMES, "Andrew"), **secret}
    data = {**told.data, "notificationDetails": details}
    notification = msgspec.structs.replace(told, data=data, details=details)
    sent = await harness.tell(RULES.replace("PRIVACY", privacy), notification, *DEVICES)
    assert sent.keys() == {each.id for each in DEVICES}
    requests = [*harness.fcm.requests, *harness.apns.requests]
    assert all(SECRET not in repr((each.headers, each.body, each.url)) for each in requests)
    words = {"title": "New notification", "body": "You have a new message"}
    if privacy == "no_body":
        words["title"] = "Andrew You have a new message"
    assert sent["fcm_android"]["message"]["notification"] == words
    assert sent["apns_ios_device"]["aps"]["alert"] == words
    open_text = await harness.tell(RULES.replace("PRIVACY", "none"), notification, *DEVICES)
    assert SECRET in repr(open_text), "the secret is one that would show"


async def test_two_devices_of_one_person_are_told_in_their_own_languages(harness: Harness) -> None:
    rules = """
enrich:
  - {title: "New message"}
  - {when: {locale: {starts_with: de}}, title: "Neue Nachricht"}
rules: [{name: all, send: [app]}]
"""
    phones = (device("fcm_android", "de-AT"), device("apns_ios_device", "en"))
    sent = await harness.tell(rules, read_sample("push_chat_one_on_one"), *phones)
    assert sent["fcm_android"]["message"]["data"]["title"] == "Neue Nachricht"
    assert sent["apns_ios_device"]["aps"]["alert"]["title"] == "New message"
