"""What rang on a user's devices is told to stop, and what was shown is taken back, by no rule."""

from pathlib import Path

import pytest

from tests.acceptance.phones import Phones, chat, phones
from tests.acceptance.phones import call as event
from tests.acceptance.test_calls import ALERT, ANDROID, RINGS, UID, describe, log_in

RULES = """
rules:
  - name: incoming-call
    when: {type: call, callAction: initiated}
    send: [{channel: app, expires: 45s}]
  - name: chat
    when: {kind: message}
    send: [app]
"""


async def told(harness: Phones, since: int) -> list[tuple[str, str]]:
    """Return what the devices got since, each in words."""
    await harness.at_rest()
    return sorted(describe(harness, push) for push in harness.wire.pushes[since:])


@pytest.mark.parametrize("end", ["ongoing", "cancelled", "unanswered", "rejected", "busy", "ended"])
async def test_each_device_that_rang_is_told_to_stop_once_and_shows_nothing(
    tmp_path: Path, end: str
) -> None:
    async with phones(tmp_path, RULES, rings="voip") as harness:
        await log_in(harness)
        await harness.post(event(UID, "initiated", "one"))
        assert await told(harness, 0) == sorted(RINGS.items())
        rang = len(harness.wire.pushes)
        await harness.post(event(UID, end, "one"))
        stopped = {
            "iPhone": f"background: {end}",
            "Android": f"data, at once: {end}",
            "browser": f"data, at once: {end}",
        }
        assert await told(harness, rang) == sorted(stopped.items())
        await harness.post(event("zoe", end, "one"), event(UID, "ended", "one"))
        assert len(await told(harness, rang)) == len(stopped)
    ring, stop = (push.content for push in harness.wire.to(ANDROID))
    assert stop["android"]["collapse_key"] == ring["android"]["collapse_key"]
    assert ("quiet" in ring["data"], stop["data"]["quiet"]) == (False, "true")


async def test_the_devices_of_who_rang_nobody_are_left_in_peace(tmp_path: Path) -> None:
    async with phones(tmp_path, RULES, rings="voip") as harness:
        await log_in(harness)
        await harness.post(event(UID, "ended", "another"))
        assert await told(harness, 0) == []


async def test_what_was_shown_of_a_deleted_message_is_taken_back_in_silence(
    tmp_path: Path,
) -> None:
    async with phones(tmp_path, RULES, rings="voip") as harness:
        await log_in(harness)
        await harness.post(chat(UID, "Hello", tag="7", message={"id": "7"}))
        await harness.at_rest()
        shown = {push.token: push for push in harness.wire.pushes}
        on = {"on": {"entity": {"id": "7"}}}
        data = {"action": "deleted", "entities": on}
        gone = {"id": "8", "category": "action", "type": "message", "data": data}
        await harness.post(chat(UID, "gone", tag="8", message=gone))
        await harness.at_rest()
        pushes = {push.token: push for push in harness.wire.pushes[len(shown) :]}
    assert pushes.keys() == shown.keys() == {ALERT, ANDROID, harness.browsers.browser.endpoint}
    quiet, alert = pushes[ALERT], shown[ALERT]
    assert alert.headers["apns-push-type"] == "alert"
    assert (quiet.headers["apns-push-type"], quiet.headers["apns-priority"]) == ("background", "5")
    assert quiet.headers["apns-collapse-id"] == alert.headers["apns-collapse-id"]
    assert quiet.content["aps"].get("alert") is None
    assert quiet.content["aps"]["content-available"] == 1
    assert "sound" not in quiet.content["aps"]
    browser = harness.browsers.browser.endpoint
    told = [pushes[token].content for token in (ALERT, browser)]
    assert [each["quiet"] for each in (*told, pushes[ANDROID].content["data"])] == ["true"] * 3
    assert "notification" not in pushes[ANDROID].content
    assert pushes[browser].content["collapse"] == shown[browser].content["collapse"]
