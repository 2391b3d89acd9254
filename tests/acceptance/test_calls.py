"""What an iPhone, an Android phone and a browser of one user get of calls, push by push."""

import time
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from tests.acceptance.phones import Phones, call, phones
from tests.acceptance.recorded_pushes import Push, apple

UID = "ben"
NUMBER = "+12125550123"
VOIP, ALERT, ANDROID = apple("voip"), apple("alert"), "android"
RING = 45
SOON = 3.0
"""Seconds in which a push is there on a busy machine; a tenth of one is the rule."""
RULES = """
rules:
  - name: incoming-call
    when: {{type: call, callAction: initiated}}
    enrich: {{title: "{{{{ senderName }}}} is calling"}}
    send:
      - {{channel: app, priority: high, expires: 45s}}
      - {{channel: text, after: {after}, unless: {{call: over}}}}
  - name: missed-call
    when: {{type: call, callAction: [unanswered, cancelled]}}
    enrich: {{title: "Missed call from {{{{ senderName }}}}"}}
    send: [app]
"""
STATES = """
  - name: call-state
    when: {type: call, not: {callAction: [initiated, unanswered, cancelled]}}
    send: [app]
"""

Got = dict[str, str]
"""What each device gets: what it is told of, in which way; one that gets nothing is not in it."""


def on_each(action: str, iphone: str) -> Got:
    """Return what all devices are told of a call, the iPhone by its other token in some way."""
    at_once = f"data, at once: {action}"
    return {"iPhone": f"{iphone}: {action}", "Android": at_once, "browser": at_once}


RINGS = on_each("initiated", "") | {"iPhone, VoIP": "voip, at once: initiated"}
del RINGS["iPhone"]
STOPS = on_each("ongoing", "background")
NOTICE = "alert, at once"
Story = list[tuple[str, str, Got]]
STORY: Story = [
    ("answered", "initiated", RINGS),
    ("answered", "ongoing", STOPS),
    ("answered", "initiated", {}),
    ("cancelled", "initiated", RINGS),
    ("cancelled", "cancelled", on_each("cancelled", NOTICE)),
    ("cancelled", "initiated", {}),
    ("missed", "initiated", RINGS),
    ("missed", "unanswered", on_each("unanswered", NOTICE)),
    ("missed", "cancelled", {}),
]
"""What happens to a call, and what devices get of it by rules for what rings and what is missed."""
HANGS_UP: tuple[str, str] = ("answered", "ended")
STORIES: dict[str, tuple[str, Story]] = {
    "rules for rings and missed calls": ("", [*STORY, (*HANGS_UP, {})]),
    "a rule for each state": (STATES, [*STORY, (*HANGS_UP, on_each("ended", "background"))]),
}


def describe(harness: Phones, push: Push) -> tuple[str, str]:
    """Return a push in words: to which device, and what of what."""
    headers, content = push.headers, push.content
    if push.token == ANDROID:
        urgency, data = content["android"]["priority"], content["data"]
        return "Android", f"data{_urgency(urgency == 'HIGH')}: {data['callAction']}"
    if push.token == harness.browsers.browser.endpoint:
        return "browser", f"data{_urgency(headers['urgency'] == 'high')}: {content['callAction']}"
    if push.token == NUMBER:
        return "text", content["body"]
    kind = headers["apns-push-type"]
    name = "iPhone, VoIP" if push.token == VOIP else "iPhone"
    return name, f"{kind}{_urgency(headers['apns-priority'] == '10')}: {content['callAction']}"


def _urgency(at_once: bool) -> str:
    return ", at once" if at_once else ""


async def log_in(harness: Phones) -> None:
    """Register all that one user has."""
    body = {"appId": "app123", "contacts": {"sms": NUMBER}}
    await harness.ask("PUT", f"/v1/recipients/{UID}", body)
    await harness.log_in(UID, "apns_ios_voip", VOIP, "iPhone")
    await harness.log_in(UID, "apns_ios_device", ALERT, "iPhone")
    await harness.log_in(UID, "fcm_android", ANDROID, "Android")
    await harness.log_in_browser(UID, "browser")


@pytest.mark.parametrize("name", STORIES)
async def test_a_call_rings_everywhere_at_once_and_stops_where_it_rang(
    tmp_path: Path, name: str
) -> None:
    more, story = STORIES[name]
    async with phones(tmp_path, RULES.format(after="20s") + more, rings="voip") as harness:
        await log_in(harness)
        pushes = harness.wire.pushes
        for session, action, expected in story:
            seen = len(pushes)
            began = time.time()
            await harness.post(call(UID, action, session))
            await harness.at_rest()
            assert all(push.at - began < SOON for push in pushes[seen:])
            got = [describe(harness, push) for push in pushes[seen:]]
            assert sorted(got) == sorted(expected.items()), (session, action)
        texts = [item for item in await harness.deliveries() if item["channel"] == "text"]
        assert [(item["state"], item["reason"]) for item in texts] == [
            ("cancelled", "unless: call over")
        ] * 3
    for push in pushes:
        if describe(harness, push)[1].endswith("initiated"):
            check_ring(harness, push)


def check_ring(harness: Phones, push: Push) -> None:
    """Fail unless a push that rings is what its device needs, and no provider keeps it for long."""
    if push.token == VOIP:
        assert push.headers["apns-topic"] == "com.example.chat.voip"
        ends = int(push.headers["apns-expiration"])
        session = push.content["sessionId"]
        assert push.content["callUUID"] == str(uuid5(NAMESPACE_URL, session))
        assert RING - 5 < ends - push.at <= RING
    elif push.token == ANDROID:
        assert "notification" not in push.content
        assert RING - 5 < int(push.content["android"]["ttl"].removesuffix("s")) <= RING
        assert push.content["data"]["title"] == "George Alan is calling"
    else:
        assert push.token == harness.browsers.browser.endpoint
        assert RING - 5 < int(push.headers["ttl"]) <= RING
        assert push.content["title"] == "George Alan is calling"


async def test_what_the_caller_is_told_stops_the_devices_that_were_called(tmp_path: Path) -> None:
    async with phones(tmp_path, RULES.format(after="20s"), rings="voip") as harness:
        await log_in(harness)
        await harness.post(call(UID, "initiated", "one"))
        await harness.at_rest()
        await harness.log_in(UID, "fcm_android", "tablet", "tablet")
        await harness.post(call("zoe", "ongoing", "one", sender=UID, receiver="zoe"))
        await harness.at_rest()
        stops = [push for push in harness.wire.pushes if push.token != "tablet"][len(RINGS) :]
        assert sorted(describe(harness, push) for push in stops) == sorted(STOPS.items())
        assert harness.wire.to("tablet") == []  # it did not ring there
        ring, stop = (push.content["android"] for push in harness.wire.to(ANDROID))
        assert ring["collapse_key"] == stop["collapse_key"]


@pytest.mark.parametrize("end", ["ongoing", "cancelled", "unanswered"])
async def test_a_ring_that_waits_when_the_call_ends_is_cancelled(tmp_path: Path, end: str) -> None:
    async with phones(tmp_path, RULES.format(after="20s"), rings="voip") as harness:
        await log_in(harness)
        await harness.hold()
        await harness.post(call(UID, "initiated", "one"))
        await harness.planned(len(RINGS) + 1)
        await harness.post(call(UID, end, "one"))
        await harness.let_go()
        await harness.at_rest()
        items = await harness.deliveries()
        rings = {item["state"] for item in items if item["rule"] == "incoming-call"}
        assert rings == {"cancelled"}
        got = sorted(describe(harness, push) for push in harness.wire.pushes)
        is_told = end != "ongoing"
        assert got == (sorted(on_each(end, NOTICE).items()) if is_told else [])


async def test_who_does_not_answer_for_a_while_gets_a_text_and_no_device_rings_twice(
    tmp_path: Path,
) -> None:
    async with phones(tmp_path, RULES.format(after="1s"), rings="voip") as harness:
        await log_in(harness)
        await harness.post(call(UID, "initiated", "one"))
        await harness.wire.until(lambda: bool(harness.wire.to(NUMBER)))
        [text] = harness.wire.to(NUMBER)
        others = [push for push in harness.wire.pushes if push is not text]
        assert sorted(describe(harness, push) for push in others) == sorted(RINGS.items())
        assert all(text.at - push.at > 0.5 for push in others)
        assert text.body.startswith("George Alan is calling")
