"""Push to browsers: what goes out, and what the answers mean."""

import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from msgspec.structs import replace

from router import AddressError, Delivered, Message, Outcome, Rejected, Retry, Unknown
from router.bridge import RecordedExchange, SandboxTransport
from router.core.model.facts import Device
from router.plugins.push import webpush
from router.plugins.push.channel import Push
from router.plugins.push.es256_jwt import make_placeholder_key
from router.plugins.push.fcm_access_token import make_placeholder_account
from router.testing import ProviderReply
from tests.fakes.webpush import HOST, Browser, PushService, make_settings, pack, vapid_key
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

WEB = Device(platform="web")


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with PushService() as server:
        yield server


@pytest.fixture
async def push(service: PushService) -> AsyncIterator[Push]:
    async with open_channel(Push, {"webpush": make_settings(), "timeout": 2.0}, service) as channel:
        yield channel


def tell(browser: Browser, sample: str = "push_chat_one_on_one", **changes: object) -> Message:
    return make_message(sample, **{"address": browser.address, "device": WEB} | changes)


async def test_a_browser_reads_every_key_of_the_message(service: PushService, push: Push) -> None:
    browser = Browser()
    message = tell(
        browser,
        "push_chat_one_on_one_message_and_custom",
        title="Rendered",
        badge=5,
        link="https://chat.example.com/1",
        data={"deepLink": "app://chat/1"},
        collapse="message:123",
        expires=time.time() + 600,
    )
    outcome = await push.send(message)
    assert outcome == Delivered(status=201, handle="https://push.example.net/message/1")
    request = service.requests[0]
    assert request.url == browser.endpoint
    told = {name: request.headers[name] for name in ("content-encoding", "urgency")}
    assert told == {"content-encoding": "aes128gcm", "urgency": "normal"}
    assert 595 <= int(request.headers["ttl"]) <= 600
    assert "topic" not in request.headers
    payload = browser.read(request.body)
    details = message.notification.details
    assert details.keys() <= payload.keys()
    for name in ("sender", "receiver", "receiverType", "tag", "conversationId", "type", "sentAt"):
        assert payload[name] == details[name]
    assert (payload["title"], payload["body"], payload["badge"]) == ("Rendered", "Hello!", "5")
    assert payload["link"] == "https://chat.example.com/1"
    assert payload["deepLink"] == "app://chat/1"
    assert b"Rendered" not in request.body


async def test_a_topic_is_the_same_for_the_same_and_left_out_without_one(
    service: PushService,
) -> None:
    settings = {"webpush": {**make_settings(), "collapse": "all"}}
    async with open_channel(Push, settings, service) as push:
        for collapse in ("a", "a", "b", ""):
            assert isinstance(await push.send(tell(Browser(), collapse=collapse)), Delivered)
    first, second, third, fourth = (request.headers.get("topic") for request in service.requests)
    assert first == second != third
    assert fourth is None


async def test_a_chat_message_replaces_none_that_waits_and_the_state_of_a_call_does(
    service: PushService, push: Push
) -> None:
    browser = Browser()
    for sample in ("push_chat_one_on_one", "push_call_audio_initiated", "push_call_cancelled"):
        assert isinstance(await push.send(tell(browser, sample, collapse="k")), Delivered)
    chat, ring, end = service.requests
    assert "topic" not in chat.headers
    assert ring.headers["topic"] == end.headers["topic"]
    assert {browser.read(request.body)["collapse"] for request in service.requests} == {"k"}


@pytest.mark.parametrize(
    ("sample", "priority", "urgency"),
    [
        ("push_chat_one_on_one", "low", "low"),
        ("push_chat_one_on_one", "normal", "normal"),
        ("push_chat_one_on_one", "high", "high"),
        ("push_call_audio_initiated", "normal", "high"),
    ],
)
async def test_what_matters_is_urgent(
    service: PushService, push: Push, sample: str, priority: str, urgency: str
) -> None:
    assert isinstance(await push.send(tell(Browser(), sample, priority=priority)), Delivered)
    assert service.requests[0].headers["urgency"] == urgency


@pytest.mark.parametrize(("seconds", "ttl"), [(-5, "0"), (1e9, str(28 * 86400))])
async def test_a_push_service_keeps_nothing_for_longer_than_it_may(
    service: PushService, push: Push, seconds: float, ttl: str
) -> None:
    await push.send(tell(Browser(), expires=time.time() + seconds))
    assert service.requests[0].headers["ttl"] == ttl


@pytest.mark.parametrize("character", ["x", "é", "語", "😀", '"', "\a"])
async def test_a_long_message_fills_a_record_and_no_character_is_split(
    service: PushService, push: Push, character: str
) -> None:
    browser = Browser()
    outcome = await push.send(tell(browser, body=character * 5000, data={"more": "y" * 900}))
    assert isinstance(outcome, Delivered)
    body = service.requests[0].body
    assert 4070 < len(body) <= 4096
    payload = browser.read(body)
    assert payload["body"].rstrip("…") == character * len(payload["body"].rstrip("…"))
    assert payload["title"]


async def test_a_signature_is_made_once_for_each_push_service_until_it_is_old(
    service: PushService, push: Push
) -> None:
    for hours in (0, 5, 10.9, 11.1):
        push.clock = partial(float, time.time() - (11.1 - hours) * 3600)
        assert isinstance(await push.send(tell(Browser())), Delivered)
    assert len(service.signatures) == 2


async def test_each_push_service_gets_a_signature_of_its_own() -> None:
    async with (
        PushService() as one,
        PushService("other.example.org") as other,
        open_channel(Push, {"webpush": make_settings()}, one, other) as push,
    ):
        for host in (HOST, "other.example.org"):
            assert isinstance(await push.send(tell(Browser(host=host))), Delivered)
    assert one.signatures.isdisjoint(other.signatures)


async def test_no_two_bodies_are_alike(service: PushService, push: Push) -> None:
    browser = Browser()
    await push.send(tell(browser))
    await push.send(tell(browser))
    first, second = (request.body for request in service.requests)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


GONE = Rejected(reason="", forget_contact=True)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (ProviderReply(status=200), Delivered(status=200)),
        (ProviderReply(status=202), Delivered(status=202)),
        (ProviderReply(status=404), replace(GONE, status=404)),
        (ProviderReply(status=410), replace(GONE, status=410)),
        (ProviderReply(status=307, headers={"Location": "/"}), Rejected(reason="", status=307)),
        (ProviderReply(status=400), Rejected(reason="", status=400)),
        (ProviderReply(status=401), Rejected(reason="", status=401)),
        (ProviderReply(status=403), Rejected(reason="", status=403)),
        (ProviderReply(status=413), Rejected(reason="", status=413)),
        (
            ProviderReply(status=429, headers={"Retry-After": "17"}),
            Retry(reason="", status=429, after=17.0),
        ),
        (ProviderReply(status=500), Retry(reason="", status=500)),
        (ProviderReply(status=503), Retry(reason="", status=503)),
        (ProviderReply(fault="hang"), Unknown(reason="")),
        (ProviderReply(fault="reset"), Unknown(reason="")),
    ],
)
async def test_what_a_push_service_says_is_what_the_router_hears(
    service: PushService, push: Push, reply: ProviderReply, expected: Outcome
) -> None:
    service.say([reply])
    outcome = await push.send(tell(Browser()))
    assert without_reason(outcome) == expected


async def test_a_place_that_lets_one_push_is_no_handle(service: PushService, push: Push) -> None:
    browser = Browser()
    service.say([ProviderReply(status=201, headers={"Location": f"{browser.endpoint}/1"})])
    assert await push.send(tell(browser)) == Delivered(status=201)


async def test_a_subscription_made_with_another_key_is_refused_and_kept(
    service: PushService,
) -> None:
    settings = {"webpush": {**make_settings(), "private_key": make_placeholder_key()}}
    async with open_channel(Push, settings, service) as push:
        outcome = await push.send(tell(Browser()))
    assert outcome == Rejected(reason="403 forbidden (BadJwtToken)", status=403)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b'{"code": 401, "errno": 109, "message": "VAPID mismatch"}',
            "401 unauthorized (errno 109)",
        ),
        (b'{"reason": "a word or two that nobody vouches for"}', "401 unauthorized"),
        (b"UnauthorizedRegistration", "401 unauthorized"),
    ],
)
async def test_the_word_a_push_service_gives_is_told_if_it_is_one(
    service: PushService, push: Push, body: bytes, reason: str
) -> None:
    service.say([ProviderReply(status=401, body=body)])
    assert await push.send(tell(Browser())) == Rejected(reason=reason, status=401)


async def test_the_key_may_be_given_as_its_bare_number(service: PushService) -> None:
    number = vapid_key().private_numbers().private_value
    raw = pack(number.to_bytes(32, "big"))
    settings = {"webpush": {**make_settings(), "private_key": raw}}
    async with open_channel(Push, settings, service) as push:
        assert isinstance(await push.send(tell(Browser())), Delivered)


async def test_a_subscription_is_told_by_its_form(service: PushService, push: Push) -> None:
    for device in (None, Device(platform="fcm_web"), Device(platform="web_push")):
        assert isinstance(await push.send(tell(Browser(), device=device)), Delivered)
    assert len(service.requests) == 3
    outcome = await push.send(make_message(address="dXJk-1:APA91bH", device=WEB))
    reason = "the address is not a push subscription"
    assert outcome == Rejected(reason=reason)


async def test_without_a_key_no_browser_is_reached() -> None:
    async with open_channel(Push, {"fcm": {"service_account": make_placeholder_account()}}) as push:
        outcome = await push.send(tell(Browser()))
    assert outcome == Rejected(reason="no provider is configured for devices of web")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"auth":"', '"auth":"A', "the subscription's secret is not of 16 bytes"),
        ('"p256dh":"B', '"p256dh":"C', "the key of the subscription is not a point on P-256"),
        ("https://", "http://", "the endpoint of the subscription is not an https:// URL"),
        ("https://", "https://ann@", "the endpoint of the subscription is not an https:// URL"),
        ("/push/", "/pu sh/", "the endpoint of the subscription is not an https:// URL"),
        ("push.example.net", "[::1", "the endpoint of the subscription is not an https:// URL"),
        ("push.example.net", "x:99999", "the endpoint of the subscription is not an https:// URL"),
        (HOST, "permanently-removed.invalid", "the browser has given the subscription up"),
        ('"keys"', '"kees"', "the address is not a push subscription"),
    ],
)
async def test_a_subscription_that_is_none_goes_nowhere(
    service: PushService, push: Push, old: str, new: str, reason: str
) -> None:
    address = Browser().address.replace(old, new)
    outcome = await push.send(make_message(address=address, device=WEB))
    assert outcome == Rejected(reason=reason)
    with pytest.raises(AddressError, match=reason):
        push.normalize_address(address, settings=push.settings, is_fixed=True)
    assert push.host(address) == (HOST if "secret" in reason or "key" in reason else "")
    assert service.requests == []


def test_one_push_services_outage_is_not_the_others(push: Push) -> None:
    assert push.host(Browser(host="push.example.net").address) == HOST
    assert push.host(Browser(host="other.example.org:8443").address) == "other.example.org"
    assert push.host("dXJk-1:APA91bH") == ""


async def test_a_sandbox_shows_what_the_browser_would_read() -> None:
    recorded: list[RecordedExchange] = []
    transport = SandboxTransport(webpush.sandbox_response, recorded.append, channel="app")
    push = Push(read_settings(Push, {"webpush": make_settings()}), transport)
    browser = Browser()
    assert isinstance(await push.send(tell(browser)), Delivered)
    (exchange,) = recorded
    assert exchange.request.plain == browser.decrypt(exchange.request.body)
