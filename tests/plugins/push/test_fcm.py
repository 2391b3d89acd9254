"""Push: what goes to FCM, and what its answers mean."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from router import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.bridge import Request
from router.core.errors import SettingsError
from router.core.model.facts import Device
from router.plugins.push.channel import Push
from router.plugins.push.fcm_access_token import RETRY_DELAY_S, TOKEN_LIFETIME_S
from router.testing import ProviderReply
from tests.fakes import fcm as answers
from tests.fakes.answer import read_json, reply_json
from tests.fakes.fcm import Fcm, refuse
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

TOKEN = "dXJk-1:APA91bH_abc-DEF"
ANDROID = Device(platform="fcm_android")


@pytest.fixture
async def fcm() -> AsyncIterator[Fcm]:
    async with Fcm() as server:
        yield server


@pytest.fixture
async def push(fcm: Fcm) -> AsyncIterator[Push]:
    settings = {"fcm": {"service_account": fcm.service_account}, "timeout": 1.0}
    async with open_channel(Push, settings, fcm) as channel:
        yield channel


def message_in(request: Request) -> dict[str, Any]:
    message = read_json(request)["message"]
    assert isinstance(message, dict)
    return message


def sent(fcm: Fcm) -> dict[str, Any]:
    return message_in(fcm.sends[-1])


async def test_a_message_reaches_the_device_as_data_alone(fcm: Fcm, push: Push) -> None:
    message = make_message(
        "push_chat_one_on_one_message_and_custom",
        address=TOKEN,
        device=ANDROID,
        title="Rendered",
        data={"deepLink": "app://chat/1"},
        priority="high",
        collapse="message:123",
    )
    outcome = await push.send(message)
    assert outcome == Delivered(status=200, handle="projects/demo-project/messages/1")
    body = sent(fcm)
    assert body.keys() == {"token", "data", "android"}
    assert body["token"] == TOKEN
    details = message.notification.details
    assert details.keys() <= body["data"].keys()
    for name in ("sender", "receiver", "receiverType", "tag", "conversationId", "type", "sentAt"):
        assert body["data"][name] == details[name]
    assert body["data"]["unreadMessageCount"] == "5"
    assert msgspec.json.decode(body["data"]["message"]) == details["message"]
    assert msgspec.json.decode(body["data"]["custom"]) == {"hello": "world"}
    assert body["data"]["title"] == "Rendered"
    assert body["data"]["body"] == "Hello!"
    assert body["data"]["deepLink"] == "app://chat/1"
    assert body["data"]["collapse"] == "message:123"
    assert body["android"].keys() == {"priority", "ttl"}
    assert body["android"]["priority"] == "HIGH"


async def test_a_call_is_worth_sending_for_as_long_as_it_rings(fcm: Fcm, push: Push) -> None:
    message = make_message(
        "push_call_audio_initiated", address=TOKEN, device=ANDROID, expires=time.time() + 45.9
    )
    assert isinstance(await push.send(message), Delivered)
    assert sent(fcm)["android"] == {"priority": "NORMAL", "ttl": "45s"}


async def test_the_access_token_is_fetched_once_for_many_sends(fcm: Fcm, push: Push) -> None:
    tokens = [f"{TOKEN}{number}" for number in range(100)]
    outcomes = await asyncio.gather(*(push.send(make_message(address=t)) for t in tokens))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(fcm.token_requests) == 1
    reached = [message_in(request)["token"] for request in fcm.sends]
    assert sorted(reached) == sorted(tokens)


async def test_an_access_token_is_replaced_before_it_ends(fcm: Fcm, push: Push) -> None:
    began = time.time()
    now = [began]
    vars(push)["clock"] = lambda: now[0]
    fcm.lifetime = 300
    for later, fetched in [(0, 1), (239, 1), (241, 2)]:
        now[0] = began + later
        await push.send(make_message(address=TOKEN))
        assert len(fcm.token_requests) == fetched


@pytest.mark.parametrize("lifetime", [-1, 0, 1, True, None, "soon", 10**30])
async def test_no_time_that_google_names_costs_a_token_for_each_send_or_keeps_one_for_ever(
    fcm: Fcm, push: Push, lifetime: object
) -> None:
    began = time.time()
    now = [began]
    vars(push)["clock"] = lambda: now[0]
    fcm.lifetime = lifetime
    for later in (0, 30, 59):
        now[0] = began + later
        assert isinstance(await push.send(make_message(address=TOKEN)), Delivered)
    assert len(fcm.token_requests) == 1
    assert push._fcm is not None
    assert not push._fcm.access.is_fresh(began + TOKEN_LIFETIME_S)


async def test_many_sends_ask_once_for_a_token_that_they_do_not_get(fcm: Fcm, push: Push) -> None:
    fcm.token_script += [ProviderReply(status=503), ProviderReply(status=400)]
    outcomes = await asyncio.gather(*(push.send(make_message(address=TOKEN)) for _ in range(100)))
    assert (
        outcomes == [Suspend(status=503, reason="no access token: 503", after=RETRY_DELAY_S)] * 100
    )
    assert len(fcm.token_requests) == 1
    fcm.token_script.clear()
    assert isinstance(await push.send(make_message(address=TOKEN)), Delivered)


async def test_many_sends_with_a_token_that_is_refused_replace_it_once(
    fcm: Fcm, push: Push
) -> None:
    await push.send(make_message(address=TOKEN))
    fcm.issued.clear()
    outcomes = await asyncio.gather(*(push.send(make_message(address=TOKEN)) for _ in range(20)))
    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert len(fcm.token_requests) == 2


async def test_an_apple_key_that_google_has_wrong_costs_nothing_but_its_own_messages(
    fcm: Fcm, push: Push
) -> None:
    fcm.send_script.append(answers.THIRD_PARTY)
    outcome = await push.send(make_message(address=TOKEN, device=Device(platform="fcm_ios")))
    assert isinstance(outcome, Rejected)
    assert not outcome.forget_contact
    assert "THIRD_PARTY_AUTH_ERROR" in outcome.reason
    assert isinstance(await push.send(make_message(address=TOKEN, device=ANDROID)), Delivered)
    assert len(fcm.token_requests) == 1


@pytest.mark.parametrize(
    "address",
    ["/topics/news", "'news' in topics", "'a' in topics && 'b' in topics", "!('a' in topics)"],
)
async def test_topics_and_conditions_are_not_sent_to(fcm: Fcm, push: Push, address: str) -> None:
    outcome = await push.send(make_message(address=address))
    reason = "the address is not a token: name a device; topics and conditions are not supported"
    assert outcome == Rejected(reason=reason)
    assert fcm.requests == []


async def test_a_refused_access_token_is_replaced_within_the_attempt(fcm: Fcm, push: Push) -> None:
    fcm.send_script.append(answers.UNAUTHENTICATED)
    assert isinstance(await push.send(make_message(address=TOKEN)), Delivered)
    assert len(fcm.token_requests) == 2
    fcm.send_script += [answers.UNAUTHENTICATED, answers.UNAUTHENTICATED]
    assert isinstance(await push.send(make_message(address=TOKEN)), Suspend)
    assert len(fcm.sends) == 4


async def test_a_new_access_token_that_google_does_not_give_suspends_the_channel(
    fcm: Fcm, push: Push
) -> None:
    assert isinstance(await push.send(make_message(address=TOKEN)), Delivered)
    fcm.send_script.append(answers.UNAUTHENTICATED)
    fcm.token_script.append(ProviderReply(status=503))
    outcome = await push.send(make_message(address=TOKEN))
    assert outcome == Suspend(status=503, reason="no access token: 503", after=RETRY_DELAY_S)


@pytest.mark.parametrize(
    "field", ["message.notification.image", "message.webpush.fcm_options.link"]
)
async def test_an_ornament_that_fcm_refuses_costs_the_ornament_alone(
    fcm: Fcm, push: Push, field: str
) -> None:
    violations = [{"field": field, "description": "Invalid URL"}]
    bad_request = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": violations,
    }
    error = {
        "code": 400,
        "message": "invalid",
        "status": "INVALID_ARGUMENT",
        "details": [bad_request],
    }
    fcm.send_script.append(reply_json({"error": error}, status=400))
    message = make_message(address=TOKEN, image="https://x.test/i.png", link="https://x.test/1")
    assert isinstance(await push.send(message), Delivered)
    first, second = (message_in(request)["data"] for request in fcm.sends)
    assert first["image"] == "https://x.test/i.png"
    assert not {"image", "link"} & second.keys()


async def test_a_message_that_fcm_finds_too_large_is_sent_once_more_and_lighter(
    fcm: Fcm, push: Push
) -> None:
    too_big = refuse(400, "INVALID_ARGUMENT", "Android message is too big", "INVALID_ARGUMENT")
    fcm.send_script.append(too_big)
    message = make_message("push_chat_one_on_one_message_and_custom", address=TOKEN)
    assert isinstance(await push.send(message), Delivered)
    heavy, light = (message_in(request)["data"] for request in fcm.sends)
    assert {"message", "custom"} <= heavy.keys()
    assert not {"message", "custom"} & light.keys()
    assert light["title"] == heavy["title"]
    fcm.send_script += [too_big, too_big]
    assert isinstance(await push.send(message), Rejected)


async def test_a_device_of_a_platform_without_a_provider_is_rejected(fcm: Fcm, push: Push) -> None:
    device = Device(platform="apns_ios_voip")
    outcome = await push.send(make_message(address=TOKEN, device=device))
    assert outcome == Rejected(reason="no provider is configured for devices of apns_ios_voip")
    assert fcm.requests == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answers.UNREGISTERED, Rejected(status=404, reason="", forget_contact=True)),
        (answers.BAD_TOKEN, Rejected(status=400, reason="", forget_contact=True)),
        (answers.BAD_FIELD, Rejected(status=400, reason="", forget_contact=True)),
        (answers.THIRD_PARTY, Rejected(status=401, reason="")),
        (
            refuse(404, "NOT_FOUND", "Requested entity was not found."),
            Rejected(status=404, reason=""),
        ),
        (answers.SENDER_MISMATCH, Rejected(status=403, reason="")),
        (answers.FORBIDDEN, Suspend(status=403, reason="")),
        (answers.UNAUTHENTICATED, Suspend(status=401, reason="")),
        (answers.QUOTA, Retry(status=429, reason="", after=17)),
        (
            refuse(400, "INVALID_ARGUMENT", "Message too big", "INVALID_ARGUMENT"),
            Rejected(status=400, reason=""),
        ),
        (refuse(503, "UNAVAILABLE", "try later", "UNAVAILABLE"), Retry(status=503, reason="")),
        (ProviderReply(status=500, body=b"oops"), Retry(status=500, reason="")),
        (
            reply_json({"error": {"status": "UNAVAILABLE"}}, status=503, retry_after="9"),
            Retry(status=503, reason="", after=9),
        ),
        (
            refuse(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", "QUOTA_EXCEEDED"),
            Retry(status=429, reason=""),
        ),
        (refuse(500, "INTERNAL", "Internal error.", "INTERNAL"), Retry(status=500, reason="")),
        (ProviderReply(status=404, body=b"<html>no such page"), Suspend(status=404, reason="")),
        (ProviderReply(fault="hang"), Unknown(reason="")),
        (ProviderReply(fault="reset"), Unknown(reason="")),
    ],
)
async def test_every_answer_of_fcm_has_its_outcome(
    fcm: Fcm, push: Push, answer: ProviderReply, expected: Outcome
) -> None:
    fcm.send_script += [answer, answer]
    outcome = await push.send(make_message(address=TOKEN))
    assert not isinstance(outcome, Delivered)
    assert outcome.reason
    assert TOKEN not in outcome.reason
    assert without_reason(outcome) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            ProviderReply(status=400, body=b'{"error": "invalid_grant"}'),
            Suspend(status=400, reason="no access token: invalid_grant"),
        ),
        (ProviderReply(status=401), Suspend(status=401, reason="no access token: 401")),
        (
            ProviderReply(status=503, headers={"Retry-After": "9"}),
            Suspend(status=503, reason="no access token: 503", after=9),
        ),
        (ProviderReply(status=200, body=b"[]"), Suspend(status=200, reason="no access token: 200")),
        (
            ProviderReply(fault="hang"),
            Suspend(reason="no access token: timed out", after=RETRY_DELAY_S),
        ),
        (
            ProviderReply(status=500),
            Suspend(status=500, reason="no access token: 500", after=RETRY_DELAY_S),
        ),
    ],
)
async def test_without_an_access_token_the_channel_is_suspended_and_nothing_sent(
    fcm: Fcm, push: Push, answer: ProviderReply, expected: Outcome
) -> None:
    fcm.token_script.append(answer)
    assert await push.send(make_message(address=TOKEN)) == expected
    assert fcm.sends == []


async def test_a_check_tries_the_service_account_and_sends_nothing(fcm: Fcm, push: Push) -> None:
    assert await push.check() == Delivered(status=200)
    assert fcm.sends == []


async def test_an_account_that_google_does_not_know_is_found_out_by_a_check(fcm: Fcm) -> None:
    stranger = msgspec.json.decode(fcm.service_account)
    stranger["client_email"] = "stranger@demo-project.iam.gserviceaccount.com"
    account = {"service_account": msgspec.json.encode(stranger).decode()}
    async with open_channel(Push, {"fcm": account}, fcm) as push:
        assert await push.check() == Suspend(status=400, reason="no access token: invalid_grant")


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ("/run/secrets/fcm.json", "must be the text of the JSON file itself"),
        ('{"type": "service_account"}', "must be the text of the JSON file itself"),
    ],
)
def test_a_service_account_that_is_none_is_refused_when_the_rules_are_read(
    account: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refusal:
        read_settings(Push, {"fcm": {"service_account": account}})
    assert account not in str(refusal.value)


def test_a_push_channel_without_a_provider_is_refused() -> None:
    with pytest.raises(SettingsError, match="names no provider"):
        read_settings(Push, {})


def test_a_private_key_that_is_none_is_refused(fcm_account: dict[str, str]) -> None:
    broken = msgspec.json.encode(fcm_account | {"private_key": "no key"}).decode()
    with pytest.raises(SettingsError, match="private_key must be an RSA key"):
        read_settings(Push, {"fcm": {"service_account": broken}})


@pytest.fixture
def fcm_account() -> dict[str, str]:
    return msgspec.json.decode(Fcm().service_account, type=dict[str, str])


def test_the_sandbox_s_stand_in_is_a_service_account() -> None:
    stand_in = Push.placeholders["fcm.service_account"]
    assert callable(stand_in)
    settings = read_settings(Push, {"fcm": {"service_account": stand_in()}})
    assert settings.fcm is not None
