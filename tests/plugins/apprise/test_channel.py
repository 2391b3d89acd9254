"""Apprise: any other service, by its URL."""

from urllib.parse import parse_qs

import pytest

from router import AddressError, Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.bridge import Request
from router.core.errors import SettingsError
from router.plugins.apprise.channel import Apprise
from router.testing import FakeProvider, ProviderReply
from tests.fakes.answer import path_of, read_json, reply_json
from tests.fakes.mail import MailServer
from tests.fakes.twilio import Twilio
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

DISCORD = "discord://123456789012345678/" + "a" * 68
TELEGRAM = "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/{to}"


async def test_any_service_of_apprise_gets_the_words() -> None:
    async with (
        FakeProvider(answer=lambda _: ProviderReply(status=204, body=b"")) as provider,
        open_channel(Apprise, {"url": DISCORD}, elsewhere=provider.url) as discord,
    ):
        assert not Apprise.needs_contact(discord.settings)
        outcome = await discord.send(make_message(title="Andrew", body="Hello!"))
    assert outcome == Delivered(status=204)
    content = str(read_json(provider.requests[0]))
    assert "Andrew" in content
    assert "Hello!" in content


async def test_a_url_with_a_place_reaches_the_recipient_s_contact() -> None:
    async with (
        FakeProvider(answer=lambda _: reply_json({"ok": True})) as provider,
        open_channel(Apprise, {"url": TELEGRAM}, elsewhere=provider.url) as telegram,
    ):
        assert Apprise.needs_contact(telegram.settings)
        outcome = await telegram.send(make_message(address="12315544"))
        hostile = await telegram.send(make_message(address="1/2/3"))
    assert isinstance(outcome, Delivered)
    assert isinstance(hostile, Rejected)
    assert [read_json(request)["chat_id"] for request in provider.requests] == [12315544]


async def test_a_group_of_telegram_is_reached_by_its_negative_id() -> None:
    async with (
        FakeProvider(answer=lambda _: reply_json({"ok": True})) as provider,
        open_channel(Apprise, {"url": TELEGRAM}, elsewhere=provider.url) as telegram,
    ):
        outcome = await telegram.send(make_message(address="-1001234567890"))
    assert isinstance(outcome, Delivered)
    assert [read_json(request)["chat_id"] for request in provider.requests] == [-1001234567890]


MOVED = {
    "ok": False,
    "error_code": 400,
    "description": "Bad Request: group chat was upgraded to a supergroup chat",
    "parameters": {"migrate_to_chat_id": -1001234567890},
}
"""https://core.telegram.org/bots/api#responseparameters"""


async def test_a_message_to_a_group_that_moved_goes_to_its_new_id_at_once() -> None:
    def answer(request: Request) -> ProviderReply:
        is_old = read_json(request)["chat_id"] == -12345
        return reply_json(MOVED, status=400) if is_old else reply_json({"ok": True})

    async with (
        FakeProvider(answer=answer) as provider,
        open_channel(Apprise, {"url": TELEGRAM}, elsewhere=provider.url) as telegram,
    ):
        outcome = await telegram.send(make_message(address="-12345"))
    assert outcome == Delivered(status=200)
    chats = [read_json(request)["chat_id"] for request in provider.requests]
    assert chats == [-12345, -1001234567890]


async def test_a_group_that_only_ever_names_another_is_asked_twice() -> None:
    async with (
        FakeProvider(answer=lambda _: reply_json(MOVED, status=400)) as provider,
        open_channel(Apprise, {"url": TELEGRAM}, elsewhere=provider.url) as telegram,
    ):
        outcome = await telegram.send(make_message(address="-12345"))
    assert isinstance(outcome, Rejected)
    assert len(provider.requests) == 2


async def test_a_destination_of_the_operator_s_own_that_is_gone_holds_the_channel() -> None:
    url = TELEGRAM.replace("{to}", "-12345")
    async with (
        FakeProvider(answer=lambda _: reply_json(MOVED, status=400)) as provider,
        open_channel(Apprise, {"url": url}, elsewhere=provider.url) as telegram,
    ):
        outcome = await telegram.send(make_message())
    reason = "400 bad request (group chat was upgraded to a supergroup chat)"
    assert outcome == Suspend(status=400, reason=reason)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("service", ["emby", "jellyfin"])
async def test_a_media_centre_without_a_screen_has_delivered_nothing(service: str) -> None:
    def answer(request: Request) -> ProviderReply:
        is_login = request.url.endswith("AuthenticateByName")
        return reply_json({"AccessToken": "t", "Id": "i", "User": {"Id": "u"}} if is_login else [])

    url = f"{service}://user:pass@media.example"
    async with (
        FakeProvider(answer=answer) as provider,
        open_channel(Apprise, {"url": url}, elsewhere=provider.url) as centre,
    ):
        outcome = await centre.send(make_message())
        assert [request.method for request in provider.requests] == ["POST", "GET"]
    assert outcome == Rejected(status=200, reason="no request carried the message")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ProviderReply(status=401), Suspend(status=401, reason="")),
        (ProviderReply(status=404), Rejected(status=404, reason="")),
        (ProviderReply(status=410), Rejected(status=410, reason="")),
        (
            ProviderReply(status=429, headers={"Retry-After": "7"}),
            Retry(status=429, reason="", after=7),
        ),
        (ProviderReply(status=500), Retry(status=500, reason="")),
        (ProviderReply(fault="hang"), Unknown(reason="")),
        (ProviderReply(fault="reset"), Unknown(reason="")),
    ],
)
async def test_a_status_means_what_http_says(answer: ProviderReply, expected: Outcome) -> None:
    settings = {"url": "jsons://notify.example/hook", "timeout": 1.0}
    async with (
        FakeProvider(answer) as provider,
        open_channel(Apprise, settings, elsewhere=provider.url) as service,
    ):
        outcome = await service.send(make_message())
    assert not isinstance(outcome, Delivered)
    assert without_reason(outcome) == expected
    assert path_of(provider.requests[0]) == "/hook"


ONESIGNAL = "onesignal://00000000-0000-0000-0000-000000000000@0123456789/{to}"
FEISHU = "feishu://0123456789abcdef"
DINGTALK = "dingtalk://0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "body", "expected"),
    [
        (ONESIGNAL, {"id": "1"}, Delivered(status=200)),
        (
            ONESIGNAL,
            {"id": "", "errors": {"invalid_player_ids": ["x"]}},
            Rejected(status=200, reason="", forget_contact=True),
        ),
        (ONESIGNAL, {"id": "", "errors": ["not subscribed"]}, Rejected(status=200, reason="")),
        (FEISHU, {"code": 0}, Delivered(status=200)),
        (FEISHU, {"code": 11232}, Retry(status=200, reason="", throttled=True)),
        (FEISHU, {"code": 19001}, Suspend(status=200, reason="")),
        (DINGTALK, {"errcode": 0}, Delivered(status=200)),
        (DINGTALK, {"errcode": 130101}, Retry(status=200, reason="", throttled=True)),
        (DINGTALK, {"errcode": 310000}, Rejected(status=200, reason="")),
    ],
)
async def test_a_200_that_says_failure_is_a_failure(
    url: str, body: dict[str, object], expected: Outcome
) -> None:
    async with (
        FakeProvider(answer=lambda _: reply_json(body)) as provider,
        open_channel(Apprise, {"url": url}, elsewhere=provider.url) as service,
    ):
        outcome = await service.send(make_message(address="0f0f0f0f-0000-0000-0000-00000000"))
    assert without_reason(outcome) == expected


async def test_a_mail_server_behind_apprise_is_read_as_one() -> None:
    async with MailServer() as server:
        server.at_rcpt = "451 4.7.1 come back later"
        url = f"{server.apprise_url}&to=george@example.org"
        async with open_channel(Apprise, {"url": url, "fixed": True}) as mail:
            outcome = await mail.send(make_message())
    assert isinstance(outcome, Retry)
    assert outcome.status == 451


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("syslog://localhost/{to}", "reaches this machine"),
        ("dbus:///{to}", "reaches this machine"),
        ("jsons://{to}/hook", "does not begin with jsons://"),
        ("discrod://1/2", "discrod:// is not a scheme of Apprise"),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/1/2", "a channel for each"),
        ("hunter2", "must start with a scheme"),
        ("discord://hunter2", "the plugin of the provider rejects these settings"),
    ],
)
def test_a_url_that_will_not_do_is_refused_when_the_rules_are_read(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refusal:
        read_settings(Apprise, {"url": url})
    assert refusal.value.faults[0].path == ("url",)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "address", "country", "form"),
    [
        ("twilio://AC{0}:{0}@+15005550006/{{to}}", "(212) 555-0100", "US", "+12125550100"),
        ("twilio://AC{0}:{0}@+15005550006/{{to}}", "+1 212 555 0100", "", "+12125550100"),
        ("twilio://AC{0}:{0}@+15005550006/{{to}}", "2125550100", "", None),
        ("signal://127.0.0.1/+15005550006/{{to}}", "07531669965", "GB", "+447531669965"),
        ("signal://127.0.0.1/+15005550006/{{to}}", "07531669965", "", None),
        ("signal://127.0.0.1/+15005550006/{{to}}", "@team", "", "@team"),
        ("signal://127.0.0.1/+15005550006/{{to}}", "#2125550123", "", None),
        ("signal://127.0.0.1/+15005550006/{{to}}", "@2125550123", "US", None),
        ("bulksms://user:password@{{to}}", "_2125550123", "", None),
        ("serwersms://user:password@sender/{{to}}", "#12345", "", "#12345"),
        (
            "mailto://u:p@example.com?to={{to}}",
            "bob@BÜCHER.example",
            "",
            "bob@xn--bcher-kva.example",
        ),
        ("mailto://u:p@example.com?to={{to}}", "Bob <b@example.com>", "", None),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/{{to}}", "12345", "", "12345"),
        ("dingtalk://" + "a" * 32 + "/{{to}}", "13812345678", "", "13812345678"),
    ],
)
def test_an_address_has_the_form_that_the_service_of_the_url_takes(
    url: str, address: str, country: str, form: str | None
) -> None:
    settings = read_settings(Apprise, {"url": url.format("0" * 32)})
    if form is None:
        with pytest.raises(AddressError):
            Apprise.normalize_address(address, settings=settings, country=country)
    else:
        told = Apprise.normalize_address(address, settings=settings, country=country)
        assert told == form
    assert Apprise.normalize_address(address, settings=None, country=country) == address


async def test_a_number_without_its_country_code_is_sent_to_by_no_service() -> None:
    async with Twilio() as twilio:
        async with open_channel(Apprise, {"url": twilio.apprise_url}, twilio) as channel:
            assert isinstance(await channel.send(make_message(address="2125550100")), Rejected)
            assert twilio.requests == []
            sent = await channel.send(make_message(address="+1 (212) 555-0100"))
            assert isinstance(sent, Delivered)
        assert parse_qs(twilio.requests[0].body.decode())["To"] == ["+12125550100"]
