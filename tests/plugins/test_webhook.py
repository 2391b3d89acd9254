"""Webhook: what a team's gateway gets, and what its answers mean."""

from base64 import b64encode
from collections.abc import AsyncIterator

import msgspec
import pytest

from router import AddressError, Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.errors import SettingsError
from router.plugins.webhook import Webhook
from router.testing import ProviderReply
from tests import SAMPLES
from tests.fakes.answer import read_json
from tests.fakes.gateway import Gateway
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway() as server:
        yield server


@pytest.fixture
async def webhook(gateway: Gateway) -> AsyncIterator[Webhook]:
    settings = {"url": f"{gateway.url}/notify?team=a", "secret": Gateway.secret, "timeout": 1.0}
    async with open_channel(Webhook, settings) as channel:
        yield channel


async def test_the_gateway_gets_cometchat_s_body_signed(gateway: Gateway, webhook: Webhook) -> None:
    message = make_message(title="Rendered", body="Words", data={"deepLink": "app://1"}, badge=3)
    outcome = await webhook.send(message)
    assert outcome == Delivered(status=204)
    request = gateway.taken[message.delivery]
    assert request.url.endswith("/notify?team=a")
    assert request.headers["content-type"] == "application/json"
    original = msgspec.json.decode((SAMPLES / "push_chat_one_on_one.json").read_bytes())
    details = original["data"]["notificationDetails"] | {"title": "Rendered", "body": "Words"}
    assert read_json(request) == original | {
        "data": original["data"] | {"notificationDetails": details},
        "title": "Rendered",
        "body": "Words",
        "router": {
            "id": message.notification.id,
            "delivery": message.delivery,
            "rule": "chat",
            "kind": "message",
            "data": {"deepLink": "app://1"},
            "link": "",
            "image": "",
            "sound": "",
            "badge": 3,
        },
    }


async def test_the_gateway_is_told_that_nothing_is_to_be_shown(
    gateway: Gateway, webhook: Webhook
) -> None:
    await webhook.send(make_message(quiet=True))
    router = read_json(gateway.requests[0])["router"]
    assert isinstance(router, dict)
    assert router["quiet"] is True


@pytest.mark.parametrize(
    ("sample", "place"),
    [("sms_one_on_one", ("smsContent", "Words")), ("email_group", ("subject", "Rendered"))],
)
async def test_the_other_feeds_hold_the_rendered_words_where_cometchat_puts_them(
    gateway: Gateway, webhook: Webhook, sample: str, place: tuple[str, str]
) -> None:
    await webhook.send(make_message(sample, title="Rendered", body="Words"))
    body = read_json(gateway.requests[0])
    original = msgspec.json.decode((SAMPLES / f"{sample}.json").read_bytes())
    assert body["trigger"] == original["trigger"]
    assert body["data"] == original["data"] | dict([place])


async def test_a_repeat_bears_the_same_id_and_is_taken_once(
    gateway: Gateway, webhook: Webhook
) -> None:
    message = make_message()
    await webhook.send(message)
    await webhook.send(message)
    assert len(gateway.requests) == 2
    assert list(gateway.taken) == [message.delivery]


async def test_a_wrong_secret_suspends_the_channel(gateway: Gateway) -> None:
    other = "whsec_" + b64encode(b"another secret, 24 bytes").decode()
    async with open_channel(Webhook, {"url": gateway.url, "secret": other}) as webhook:
        outcome = await webhook.send(make_message())
    assert isinstance(outcome, Suspend)
    assert other not in outcome.reason


PEOPLES = "https://people.example/in/george?key=1"


async def test_each_recipient_may_name_a_gateway(gateway: Gateway) -> None:
    settings = {"url": "{to}", "secret": Gateway.secret}
    async with open_channel(Webhook, settings, elsewhere=gateway.url) as webhook:
        assert await webhook.send(make_message(address=PEOPLES)) == Delivered(status=204)
        assert webhook.host(PEOPLES) == "people.example"
    assert gateway.requests[0].url == PEOPLES.replace("https", "http")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Rejected(status=401, reason="")),
        (403, Rejected(status=403, reason="")),
        (404, Rejected(status=404, reason="")),
        (410, Rejected(status=410, reason="", forget_contact=True)),
        (503, Retry(status=503, reason="")),
    ],
)
async def test_one_recipients_gateway_says_nothing_of_the_others(
    gateway: Gateway, status: int, expected: Outcome
) -> None:
    gateway.say([ProviderReply(status=status)])
    async with open_channel(Webhook, {"url": "{to}"}, elsewhere=gateway.url) as webhook:
        outcome = await webhook.send(make_message(address=PEOPLES))
    assert without_reason(outcome) == expected


async def test_a_recipient_reaches_no_machine_of_ours(gateway: Gateway) -> None:
    async with open_channel(Webhook, {"url": "{to}"}) as webhook:
        outcome = await webhook.send(make_message(address=gateway.url))
    assert outcome == Rejected(reason="the address leads to a network that is not public")
    assert gateway.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "file:///etc/passwd",
        "https://ann:pw@x.example/",
        "http://[::1",
        "//x",
        "https://ⓛ/",
    ],
)
async def test_an_address_that_is_no_url_goes_nowhere(gateway: Gateway, address: str) -> None:
    async with open_channel(Webhook, {"url": "{to}"}, elsewhere=gateway.url) as webhook:
        assert isinstance(await webhook.send(make_message(address=address)), Rejected)
        assert webhook.host(address) == ""
        for known in (None, webhook.settings):
            assert webhook.normalize_address(PEOPLES, settings=known) == PEOPLES
            with pytest.raises(AddressError, match="not an http"):
                webhook.normalize_address(address, settings=known)
    assert gateway.requests == []


async def test_basic_credentials_go_along_when_they_are_given(gateway: Gateway) -> None:
    settings = {"url": gateway.url, "secret": Gateway.secret, "basic": "router:pass:word"}
    async with open_channel(Webhook, settings) as webhook:
        await webhook.send(make_message())
    sent = gateway.requests[0].headers["authorization"]
    assert sent == "Basic " + b64encode(b"router:pass:word").decode()


async def test_a_payload_with_an_integer_of_any_size_goes_through(
    gateway: Gateway, webhook: Webhook
) -> None:
    message = make_message()
    told = message.notification
    huge = msgspec.structs.replace(told, details=told.details | {"unreadMessageCount": 10**26})
    await webhook.send(msgspec.structs.replace(message, notification=huge))
    assert b'"unreadMessageCount":100000000000000000000000000' in gateway.requests[0].body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ProviderReply(status=200), Delivered(status=200)),
        (
            ProviderReply(status=301, headers={"Location": "http://127.0.0.1:1/"}),
            Rejected(status=301, reason=""),
        ),
        (ProviderReply(status=400), Rejected(status=400, reason="")),
        (ProviderReply(status=401), Suspend(status=401, reason="")),
        (ProviderReply(status=403), Suspend(status=403, reason="")),
        (ProviderReply(status=404), Rejected(status=404, reason="")),
        (ProviderReply(status=410), Rejected(status=410, reason="")),
        (
            ProviderReply(status=429, headers={"Retry-After": "30"}),
            Retry(status=429, reason="", after=30),
        ),
        (ProviderReply(status=500), Retry(status=500, reason="")),
        (
            ProviderReply(status=503, headers={"Retry-After": "5"}),
            Retry(status=503, reason="", after=5),
        ),
        (ProviderReply(fault="hang"), Unknown(reason="")),
        (ProviderReply(fault="reset"), Unknown(reason="")),
    ],
)
async def test_every_answer_of_a_gateway_has_its_outcome(
    gateway: Gateway, webhook: Webhook, answer: ProviderReply, expected: Outcome
) -> None:
    gateway.say([answer])
    outcome = await webhook.send(make_message())
    assert without_reason(outcome) == expected


async def test_a_gateway_that_is_down_is_tried_again(gateway: Gateway) -> None:
    async with open_channel(Webhook, {"url": "http://127.0.0.1:9/"}) as webhook:
        assert isinstance(await webhook.send(make_message()), Retry)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "gateway.example"}, "url: must be a http"),
        ({"url": "ftp://gateway.example"}, "url: must be a http"),
        ({"url": "https://me:hunter2@gateway.example"}, "write `basic: user:password`"),
        ({"url": "https://a.example/{to}"}, "stands for a whole URL, and alone"),
        ({"url": "{to}", "basic": "me:hunter2"}, "basic: would go to whomever a recipient names"),
        ({"url": "https://a.example", "basic": "hunter2"}, "basic: must read user:password"),
        ({"url": "https://a.example", "secret": "hunter2"}, "secret: must be whsec_"),
        ({"url": "https://a.example", "secret": "whsec_aHVudGVyMg=="}, "24 to 64 bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_quoting_them(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refusal:
        read_settings(Webhook, settings)
    assert "hunter2" not in str(refusal.value)
