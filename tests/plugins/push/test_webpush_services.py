"""Push services that differ from the standard: Windows, Mozilla for Android, and their answers."""

import time

import pytest

from router import Delivered, Message, Rejected, Retry
from router.core.model.facts import Device
from router.plugins.push.channel import Push
from router.testing import ProviderReply
from tests.fakes.webpush import CONFLICT, POLICY, Browser, PushService, make_settings
from tests.plugins.opening import make_message, open_channel

WINDOWS = "wns2-par02p.notify.windows.com"
SETTINGS = {"webpush": make_settings(), "timeout": 5.0}


def tell(browser: Browser, **changes: object) -> Message:
    return make_message(
        "push_chat_one_on_one_message_and_custom",
        **{"address": browser.address, "device": Device(platform="web")} | changes,
    )


@pytest.mark.parametrize(("seconds", "policy"), [(600, "cache"), (0, "no-cache")])
async def test_windows_is_told_whether_to_keep_a_message(seconds: int, policy: str) -> None:
    async with PushService(WINDOWS) as service, open_channel(Push, SETTINGS, service) as push:
        browser = Browser(host=WINDOWS)
        outcome = await push.send(tell(browser, expires=time.time() + seconds))
    assert isinstance(outcome, Delivered)
    assert service.requests[0].headers[POLICY] == policy


async def test_no_other_push_service_gets_the_header_of_windows() -> None:
    host = "notify.windows.com.example.net"
    async with PushService(host) as service, open_channel(Push, SETTINGS, service) as push:
        assert isinstance(await push.send(tell(Browser(host=host))), Delivered)
    assert POLICY not in service.requests[0].headers


async def test_windows_says_in_a_header_why_it_refuses() -> None:
    async with PushService(WINDOWS) as service, open_channel(Push, SETTINGS, service) as push:
        service.say(
            [ProviderReply(status=400, headers={"X-WNS-Error-Description": CONFLICT}, body=b"")]
        )
        outcome = await push.send(tell(Browser(host=WINDOWS)))
    reason = "400 bad request (Ttl value conflicts with X-WNS-Cache-Policy)"
    assert outcome == Rejected(reason=reason, status=400)


async def test_windows_refuses_a_sender_that_pushes_too_often_with_406() -> None:
    async with PushService(WINDOWS) as service, open_channel(Push, SETTINGS, service) as push:
        service.say([ProviderReply(status=406, headers={"Retry-After": "90"}, body=b"")])
        outcome = await push.send(tell(Browser(host=WINDOWS)))
    assert isinstance(outcome, Retry)
    assert (outcome.status, outcome.after, outcome.throttled) == (406, 90.0, True)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("dropped", Rejected), ("channelThrottled", Retry), ("received", Delivered)],
)
async def test_a_200_of_windows_may_say_that_nothing_was_passed_on(
    word: str, expected: type[Delivered | Rejected | Retry]
) -> None:
    async with PushService(WINDOWS) as service, open_channel(Push, SETTINGS, service) as push:
        service.say(
            [ProviderReply(status=200, headers={"X-WNS-NotificationStatus": word}, body=b"")]
        )
        assert isinstance(await push.send(tell(Browser(host=WINDOWS))), expected)


@pytest.mark.parametrize("limit", [3070, 2048, 1500])
async def test_a_body_that_is_too_large_for_a_phone_is_cut_and_sent_once_more(limit: int) -> None:
    async with PushService() as service, open_channel(Push, SETTINGS, service) as push:
        service.limit = limit
        browser = Browser()
        message = tell(browser, body="Hello! " * 400)
        assert isinstance(await push.send(message), Delivered)
    first, second = service.requests
    assert len(first.body) > limit >= len(second.body) > limit - 200
    assert browser.read(second.body)["title"] == message.title


@pytest.mark.parametrize("body", [b"", b"limited to 12 bytes", b"limit is 99999 bytes"])
async def test_a_limit_that_helps_nothing_ends_the_message(body: bytes) -> None:
    async with PushService() as service, open_channel(Push, SETTINGS, service) as push:
        service.say([ProviderReply(status=413, body=body), ProviderReply(status=413, body=body)])
        outcome = await push.send(tell(Browser(), body="Hello! " * 10))
    assert isinstance(outcome, Rejected)
    assert outcome.status == 413
    assert len(service.requests) == 1
