"""Push to Apple's devices: what goes out, and what the answers mean."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import NAMESPACE_URL, uuid5

import pytest
from msgspec.structs import replace

from router import Delivered, Message, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.errors import SettingsError
from router.core.model.facts import Device
from router.plugins.push.channel import Push
from router.plugins.push.fcm_access_token import make_placeholder_account
from tests.fakes.answer import read_json
from tests.fakes.apns import Apns, make_settings, refuse
from tests.fakes.http2 import Act, Fault
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

TOKEN = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
PHONE = Device(platform="apns_ios_device")
VOIP = Device(platform="apns_ios_voip")


@pytest.fixture
async def apns() -> AsyncIterator[Apns]:
    async with Apns() as server:
        yield server


@pytest.fixture
async def push(apns: Apns) -> AsyncIterator[Push]:
    async with open_channel(Push, {"apns": make_settings(), "timeout": 2.0}, apns) as channel:
        yield channel


def tell(
    sample: str = "push_chat_one_on_one", device: Device = PHONE, **changes: object
) -> Message:
    return make_message(sample, **{"address": TOKEN, "device": device} | changes)


def ringing(**changes: object) -> Message:
    message = tell("push_call_audio_initiated", VOIP, **changes)
    return replace(message, notification=replace(message.notification, sent_at=time.time()))


async def test_a_message_is_an_alert_with_every_key_at_the_root(apns: Apns, push: Push) -> None:
    message = tell(
        "push_chat_one_on_one_message_and_custom",
        title="Rendered",
        badge=5,
        sound="ding.caf",
        data={"deepLink": "app://chat/1"},
        collapse="message:123",
    )
    outcome = await push.send(message)
    request = apns.requests[0]
    assert outcome == Delivered(status=200, handle=request.headers["apns-id"].upper())
    assert request.url == f"https://api.push.apple.com/3/device/{TOKEN}"
    told = {k: v for k, v in request.headers.items() if k not in {"authorization", "apns-id"}}
    assert told == {
        "apns-push-type": "alert",
        "apns-topic": "com.example.chat",
        "apns-priority": "10",
        "apns-expiration": str(int(message.expires)),
        "apns-collapse-id": "message:123",
        "content-length": str(len(request.body)),
    }
    payload = read_json(request)
    assert payload["aps"] == {
        "alert": {"title": "Rendered", "body": "Hello!"},
        "badge": 5,
        "sound": "ding.caf",
        "mutable-content": 1,
        "thread-id": message.notification.conversation,
    }
    details = message.notification.details
    assert details.keys() <= payload.keys()
    for name in ("sender", "receiver", "receiverType", "tag", "conversationId", "type", "sentAt"):
        assert payload[name] == details[name]
    assert (payload["title"], payload["body"]) == ("Rendered", "Hello!")
    assert payload["deepLink"] == "app://chat/1"
    assert all(isinstance(value, str) for name, value in payload.items() if name != "aps")


async def test_a_ring_reaches_a_voip_token_as_a_call(apns: Apns, push: Push) -> None:
    message = ringing(collapse="call:1")
    assert isinstance(await push.send(message), Delivered)
    headers, payload = apns.requests[0].headers, read_json(apns.requests[0])
    assert headers["apns-push-type"] == "voip"
    assert headers["apns-topic"] == "com.example.chat.voip"
    assert headers["apns-priority"] == "10"
    assert "apns-collapse-id" not in headers
    assert 0 < int(headers["apns-expiration"]) - time.time() <= 45
    names = "sender senderName body callAction receiver type callType sessionId conversationId"
    assert set(names.split()) <= payload.keys()
    assert payload["callUUID"] == str(uuid5(NAMESPACE_URL, "v1.123.aik2"))


@pytest.mark.parametrize(
    "sample",
    [
        "push_call_ongoing",
        "push_call_cancelled",
        "push_call_rejected",
        "push_call_unanswered",
        "push_call_ended",
        "push_chat_one_on_one",
        "push_reaction_one_on_one",
    ],
)
async def test_a_voip_token_is_sent_nothing_but_rings(apns: Apns, push: Push, sample: str) -> None:
    outcome = await push.send(tell(sample, VOIP))
    assert outcome == Rejected(reason="a VoIP token accepts only calls that ring")
    assert apns.requests == []


@pytest.mark.parametrize(
    ("sample", "kind", "priority"),
    [
        ("push_call_audio_initiated", "alert", "10"),
        ("push_call_unanswered", "alert", "10"),
        ("push_call_cancelled", "alert", "10"),
        ("push_call_ongoing", "background", "5"),
        ("push_call_rejected", "background", "5"),
        ("push_call_ended", "background", "5"),
    ],
)
async def test_a_call_shows_on_other_devices_what_a_person_needs_to_see(
    apns: Apns, push: Push, sample: str, kind: str, priority: str
) -> None:
    assert isinstance(await push.send(tell(sample)), Delivered)
    headers, payload = apns.requests[0].headers, read_json(apns.requests[0])
    assert (headers["apns-push-type"], headers["apns-priority"]) == (kind, priority)
    assert payload["callUUID"] == str(uuid5(NAMESPACE_URL, "v1.123.aik2"))


async def test_a_ring_that_is_over_is_not_kept(apns: Apns, push: Push) -> None:
    message = ringing()
    old = replace(message, notification=replace(message.notification, sent_at=time.time() - 60))
    await push.send(old)
    assert apns.requests[0].headers["apns-expiration"] == "0"


async def test_the_sandbox_of_apple_is_another_host() -> None:
    async with Apns(sandbox=True) as apns:
        settings = {"apns": {**make_settings(), "sandbox": True}}
        async with open_channel(Push, settings, apns) as push:
            assert isinstance(await push.send(tell()), Delivered)
    assert apns.requests[0].url.startswith("https://api.sandbox.push.apple.com/")


async def test_many_sends_share_one_signature_and_one_connection(apns: Apns, push: Push) -> None:
    messages = [tell(address=f"{number:064x}", delivery=f"d-{number}") for number in range(100)]
    outcomes = await asyncio.gather(*map(push.send, messages))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(apns.tokens) == len(apns.connections) == 1
    assert len({request.headers["apns-id"] for request in apns.requests}) == 100


async def test_a_repeat_has_the_id_of_the_first(apns: Apns, push: Push) -> None:
    await push.send(tell())
    await push.send(tell())
    first, second = apns.requests
    assert first.headers["apns-id"] == second.headers["apns-id"]


@pytest.mark.parametrize(("minutes", "signatures"), [(49, 1), (51, 2), (-1, 2)])
async def test_a_signature_is_replaced_before_apple_finds_it_old(
    apns: Apns, push: Push, minutes: int, signatures: int
) -> None:
    began = time.time()
    push.clock = lambda: began - 51 * 60
    apns.say(refuse(503, "Shutdown"), refuse(503, "Shutdown"))
    await push.send(tell())
    push.clock = lambda: began - 51 * 60 + minutes * 60
    await push.send(tell())
    shown = {request.headers["authorization"] for request in apns.requests}
    assert len(shown) == signatures


async def test_a_signature_that_apple_finds_old_is_replaced(apns: Apns, push: Push) -> None:
    push.clock = lambda: time.time() - 7200
    outcome = await push.send(tell())
    assert isinstance(outcome, Retry)
    push.clock = time.time
    assert isinstance(await push.send(tell()), Delivered)
    assert len(apns.tokens) == 3


async def test_a_signature_that_apple_s_clock_finds_old_is_replaced_within_the_attempt(
    apns: Apns, push: Push
) -> None:
    assert isinstance(await push.send(tell()), Delivered)
    apns.say(refuse(403, "ExpiredProviderToken"))
    assert isinstance(await push.send(tell()), Delivered)
    assert len(apns.tokens) == 2


async def test_a_payload_that_apple_finds_too_large_is_sent_once_more_and_lighter(
    apns: Apns, push: Push
) -> None:
    message = tell("push_chat_one_on_one_message_and_custom")
    apns.say(refuse(413, "PayloadTooLarge"))
    assert isinstance(await push.send(message), Delivered)
    (request,) = (r for r in apns.requests if b'"custom"' not in r.body)
    assert len(apns.requests) == 2
    assert request is apns.requests[-1]


GONE = Rejected(reason="", forget_contact=True)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (
            refuse(410, "Unregistered", timestamp=1_800_000_000_500),
            replace(GONE, status=410, dead_since=1_800_000_000.5),
        ),
        (refuse(410, "Unregistered", timestamp="soon"), replace(GONE, status=410)),
        (refuse(429, "TooManyRequests", timestamp=1), Retry(reason="", status=429)),
        (refuse(410, "ExpiredToken"), replace(GONE, status=410)),
        (refuse(400, "BadDeviceToken"), replace(GONE, status=400)),
        (refuse(400, "DeviceTokenNotForTopic"), replace(GONE, status=400)),
        (refuse(400, "BadMessageId"), Rejected(reason="", status=400)),
        (refuse(403, "BadCertificate"), Suspend(reason="", status=403)),
        (refuse(403, "Forbidden"), Suspend(reason="", status=403)),
        (refuse(429, "TooManyRequests"), Retry(reason="", status=429)),
        (
            refuse(429, "TooManyProviderTokenUpdates"),
            Suspend(reason="", status=429, after=1200.0),
        ),
        (refuse(500, "InternalServerError"), Retry(reason="", status=500)),
        (refuse(503, "ServiceUnavailable"), Retry(reason="", status=503)),
        (Fault.HANG, Unknown(reason="")),
        (Fault.RESET, Unknown(reason="")),
        (Fault.CUT, Unknown(reason="")),
    ],
)
async def test_what_apple_says_is_what_the_router_hears(
    apns: Apns, push: Push, act: Act, expected: Outcome
) -> None:
    assert isinstance(await push.send(tell()), Delivered)
    apns.say(act)
    assert without_reason(await push.send(tell())) == expected


@pytest.mark.parametrize("reason", ["BadDeviceToken", "DeviceTokenNotForTopic"])
async def test_no_device_is_forgotten_before_the_settings_have_served_one(
    apns: Apns, push: Push, reason: str
) -> None:
    apns.say(refuse(400, reason), refuse(400, reason))
    for _ in range(2):
        assert without_reason(await push.send(tell())) == Rejected(reason="", status=400)
    assert isinstance(await push.send(tell()), Delivered)
    apns.say(refuse(400, reason))
    assert without_reason(await push.send(tell())) == replace(GONE, status=400)


@pytest.mark.parametrize("fault", [Fault.LEAVE, Fault.REFUSE])
async def test_what_apple_has_not_looked_at_arrives_all_the_same(
    apns: Apns, push: Push, fault: Fault
) -> None:
    apns.say(fault)
    assert isinstance(await push.send(tell()), Delivered)


async def test_a_key_of_somebody_else_suspends_the_channel(apns: Apns) -> None:
    settings = {"apns": {**make_settings(), "team_id": "ZZZZZZZZZZ"}}
    async with open_channel(Push, settings, apns) as push:
        outcome = await push.send(tell())
    assert outcome == Suspend(reason="403 forbidden (InvalidProviderToken)", status=403)


async def test_each_platform_goes_to_its_provider(apns: Apns, push: Push) -> None:
    for platform in ("apns_flutter_device", "APNS_IOS_DEVICE", "apns_react_native_device"):
        assert isinstance(await push.send(tell(device=Device(platform=platform))), Delivered)
    for platform in ("fcm_android", "hms_android"):
        outcome = await push.send(tell(device=Device(platform=platform)))
        assert outcome == Rejected(reason=f"no provider is configured for devices of {platform}")


async def test_a_destination_of_the_rules_is_told_by_its_form(apns: Apns, push: Push) -> None:
    assert isinstance(await push.send(make_message(address=TOKEN)), Delivered)
    assert isinstance(await push.send(make_message(address="dXJk-1:APA91bH")), Rejected)
    assert len(apns.requests) == 1


async def test_a_token_that_is_no_token_goes_nowhere(apns: Apns, push: Push) -> None:
    assert isinstance(await push.send(tell(address="dXJk-1:APA91bH")), Rejected)
    assert apns.requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "nonsense"}, "must be the text of the .p8 file"),
        ({"key": make_placeholder_account()}, "must be the text of the .p8 file"),
        ({"key_id": "short"}, "key_id"),
        ({"topic": "com.example.chat.voip"}, "must be the bundle id alone"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(Push, {"apns": {**make_settings(), **change}})
    assert words in str([(fault.path, fault.message) for fault in caught.value.faults])
