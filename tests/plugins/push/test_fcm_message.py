"""Push through FCM: what each platform is told beside the data."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from router import Delivered, Message
from router.core.errors import SettingsError
from router.core.model.facts import Device
from router.plugins.push.channel import Push
from tests.fakes.answer import read_json
from tests.fakes.fcm import Fcm
from tests.plugins.opening import make_message, open_channel, read_settings

TOKEN = "dXJk-1:APA91bH_abc-DEF"
ANDROID = Device(platform="fcm_react_native_android")
IPHONE = Device(platform="fcm_flutter_ios")
BROWSER = Device(platform="fcm_web")


@pytest.fixture
async def fcm() -> AsyncIterator[Fcm]:
    async with Fcm() as server:
        yield server


async def send(fcm: Fcm, message: Message, **settings: object) -> dict[str, Any]:
    """Return FCM's message as it went out, which FCM took."""
    account = {"service_account": fcm.service_account, **settings}
    async with open_channel(Push, {"fcm": account}, fcm) as push:
        assert isinstance(await push.send(message), Delivered)
    body = read_json(fcm.sends[-1])["message"]
    assert isinstance(body, dict)
    return body


def tell(
    sample: str = "push_chat_one_on_one", device: Device | None = ANDROID, **changes: object
) -> Message:
    return make_message(sample, **{"address": TOKEN, "device": device} | changes)


@pytest.mark.parametrize(
    ("sample", "collapse", "collapses"),
    [
        ("push_call_audio_initiated", "calls", True),
        ("push_chat_one_on_one", "calls", False),
        ("push_chat_one_on_one", "all", True),
    ],
)
async def test_messages_do_not_replace_each_other_while_away_unless_the_settings_say_so(
    fcm: Fcm, sample: str, collapse: str, collapses: bool
) -> None:
    android = (await send(fcm, tell(sample, collapse="k"), collapse=collapse))["android"]
    assert android.get("collapse_key") == ("k" if collapses else None)
    web = (await send(fcm, tell(sample, BROWSER, collapse="k"), collapse=collapse))["webpush"]
    assert ("Topic" in web["headers"]) == collapses


async def test_each_platform_has_a_block_and_no_other(fcm: Fcm) -> None:
    for device, block in ((ANDROID, "android"), (IPHONE, "apns"), (BROWSER, "webpush")):
        assert (await send(fcm, tell(device=device))).keys() == {"token", "data", block}
    unknown = await send(fcm, tell(device=None))
    assert unknown.keys() == {"token", "data", "android", "apns", "webpush"}


async def test_an_iphone_is_shown_the_words_since_data_alone_starts_no_app(fcm: Fcm) -> None:
    message = tell(
        device=IPHONE,
        title="Andrew",
        body="Hello!",
        badge=5,
        sound="ding.caf",
        image="https://cdn.example/a.png",
        collapse="message:1",
    )
    body = await send(fcm, message)
    assert body["apns"] == {
        "headers": {
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(int(message.expires)),
            "apns-collapse-id": "message:1",
        },
        "payload": {
            "aps": {
                "alert": {"title": "Andrew", "body": "Hello!"},
                "badge": 5,
                "sound": "ding.caf",
                "mutable-content": 1,
                "thread-id": message.notification.conversation,
            }
        },
        "fcm_options": {"image": "https://cdn.example/a.png"},
    }
    assert body["data"]["sender"] == message.notification.details["sender"]


async def test_what_of_a_call_nobody_reads_wakes_the_app_alone(fcm: Fcm) -> None:
    body = await send(fcm, tell("push_call_ended", IPHONE, badge=2), notification_block=True)
    assert body.keys() == {"token", "data", "apns"}
    assert body["apns"]["headers"]["apns-push-type"] == "background"
    assert body["apns"]["headers"]["apns-priority"] == "5"
    assert body["apns"]["payload"] == {"aps": {"content-available": 1, "badge": 2}}
    shown = await send(fcm, tell("push_call_ended"), notification_block=True)
    assert shown.keys() == {"token", "data", "android"}
    assert "notification" not in shown["android"]


async def test_a_browser_is_told_how_long_it_is_worth_and_how_urgent(fcm: Fcm) -> None:
    message = tell(device=BROWSER, priority="low", expires=time.time() + 60.9)
    headers = (await send(fcm, message))["webpush"]["headers"]
    assert headers == {"TTL": "60", "Urgency": "low"}


async def test_a_notification_block_is_sent_on_request(fcm: Fcm) -> None:
    message = tell(
        title="Andrew",
        body="Hello!",
        badge=3,
        sound="ding",
        collapse="message:1",
        link="https://a.b",
    )
    body = await send(fcm, message, notification_block=True, channel_id="chats")
    assert body["notification"] == {"title": "Andrew", "body": "Hello!"}
    assert body["android"]["notification"] == {
        "channel_id": "chats",
        "sound": "ding",
        "tag": "message:1",
        "notification_count": 3,
    }
    web = await send(fcm, replace(message, device=BROWSER), notification_block=True)
    assert web["notification"] == {"title": "Andrew", "body": "Hello!"}
    assert web["webpush"]["notification"] == {"tag": "message:1"}
    assert web["webpush"]["fcm_options"] == {"link": "https://a.b"}


async def test_a_rule_may_name_another_channel_of_android_s(fcm: Fcm) -> None:
    message = tell(data={"channel_id": "missed-calls"})
    body = await send(fcm, message, notification_block=True, channel_id="chats")
    assert body["android"]["notification"]["channel_id"] == "missed-calls"


async def test_a_link_that_no_browser_may_open_is_in_the_data_alone(fcm: Fcm) -> None:
    body = await send(fcm, tell(device=BROWSER, link="app://chat/1"), notification_block=True)
    assert "fcm_options" not in body["webpush"]
    assert body["data"]["link"] == "app://chat/1"


async def test_the_sound_is_the_system_s_own_unless_a_rule_names_one_or_none(fcm: Fcm) -> None:
    async def hear(sound: str) -> tuple[object, object]:
        shown = await send(fcm, tell(sound=sound), notification_block=True)
        apple = await send(fcm, tell(device=IPHONE, sound=sound))
        aps = apple["apns"]["payload"]["aps"]
        return shown["android"]["notification"].get("sound"), aps.get("sound")

    assert await hear("") == ("default", "default")
    assert await hear("ding.caf") == ("ding.caf", "ding.caf")
    assert await hear("none") == (None, None)


async def test_a_phrase_of_the_app_s_stands_for_the_words_where_the_device_shows_them(
    fcm: Fcm,
) -> None:
    data = {
        "title_loc_key": "NEW_MESSAGE",
        "title_loc_arg_1": "Andrew",
        "title_loc_arg_3": "Zoë",
        "body_loc_key": "READ_IT",
    }
    message = tell(title="New message", body="Read it", data=data)
    body = await send(fcm, message, notification_block=True)
    assert body["notification"] == {}
    android = body["android"]["notification"]
    assert android["title_loc_key"] == "NEW_MESSAGE"
    assert android["title_loc_args"] == ["Andrew", "", "Zoë"]
    assert (android["body_loc_key"], android["body_loc_args"]) == ("READ_IT", [])
    apple = await send(fcm, replace(message, device=IPHONE))
    assert apple["apns"]["payload"]["aps"]["alert"] == {
        "title-loc-key": "NEW_MESSAGE",
        "title-loc-args": ["Andrew", "", "Zoë"],
        "loc-key": "READ_IT",
        "loc-args": [],
    }
    web = await send(fcm, replace(message, device=BROWSER), notification_block=True)
    assert web["webpush"]["notification"] == {"title": "New message", "body": "Read it"}
    alone = await send(fcm, message)
    assert alone["data"].items() >= data.items()


async def test_a_payload_cannot_name_a_phrase(fcm: Fcm) -> None:
    message = tell(device=IPHONE, title="Andrew", body="Hello!")
    told = message.notification
    details = {**told.details, "title_loc_key": "ADMIN", "body_loc_key": "ADMIN"}
    forged = replace(message, notification=replace(told, details=details))
    alert = (await send(fcm, forged))["apns"]["payload"]["aps"]["alert"]
    assert alert == {"title": "Andrew", "body": "Hello!"}


async def test_keys_that_fcm_keeps_for_itself_arrive_under_another_name(fcm: Fcm) -> None:
    reserved = {
        "from": "a",
        "message_type": "b",
        "google.x": "c",
        "gcm.y": "d",
        "collapse_key": "e",
    }
    body = await send(fcm, tell(data=reserved | {"mine": "f", "_from": "mine"}))
    renamed = {"_message_type": "b", "_google.x": "c", "_gcm.y": "d", "_collapse_key": "e"}
    assert body["data"].items() >= (renamed | {"mine": "f", "_from": "mine"}).items()
    assert not body["data"].keys() & reserved.keys()


def test_a_channel_for_what_no_device_shows_is_refused() -> None:
    account = {"service_account": Fcm().service_account, "channel_id": "chats"}
    with pytest.raises(SettingsError) as refused:
        read_settings(Push, {"fcm": account})
    assert "set notification_block" in str(refused.value)
