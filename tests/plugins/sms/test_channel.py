"""SMS: what Twilio gets, and what it and others mean by their answers."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest

from router import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.errors import SettingsError
from router.plugins.apprise.channel import Apprise
from router.plugins.sms.channel import Sms
from router.registry.schema import PluginSchema
from router.testing import FakeProvider, ProviderReply
from tests.fakes.answer import reply_json
from tests.fakes.twilio import Twilio, refuse
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

PHONE = "+12125550123"


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with Twilio() as server:
        yield server


def texts(twilio: Twilio) -> list[str]:
    return [parse_qs(request.body.decode())["Body"][0] for request in twilio.requests]


@pytest.fixture
async def sms(twilio: Twilio) -> AsyncIterator[Sms]:
    settings = {"url": twilio.apprise_url, "timeout": 1.0}
    async with open_channel(Sms, settings, twilio) as channel:
        yield channel


async def test_a_text_reaches_the_phone(twilio: Twilio, sms: Sms) -> None:
    message = make_message("sms_one_on_one", address=PHONE, title="", body="Are we meeting?")
    outcome = await sms.send(message)
    assert outcome == Delivered(status=201, handle=f"SM{1:032}")
    assert parse_qs(twilio.requests[0].body.decode()) == {
        "From": [Twilio.number],
        "To": [PHONE],
        "Body": ["Are we meeting?"],
    }


async def test_a_title_is_the_first_line_but_for_cometchat_s_own_digests(
    twilio: Twilio, sms: Sms
) -> None:
    await sms.send(make_message(address=PHONE, title="Andrew", body="Hello!"))
    await sms.send(make_message("sms_one_on_one", address=PHONE, title="News", body="Hello!"))
    bodies = [parse_qs(request.body.decode())["Body"] for request in twilio.requests]
    assert bodies == [["Andrew\nHello!"], ["Hello!"]]


@pytest.mark.parametrize("written", ["+1 (212) 555-0123", "tel:+1.212.555.0123", "+1-212-555-0123"])
async def test_a_number_may_be_written_as_people_write_it(
    twilio: Twilio, sms: Sms, written: str
) -> None:
    assert isinstance(await sms.send(make_message(address=written)), Delivered)
    assert parse_qs(twilio.requests[0].body.decode())["To"] == [PHONE]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bob",
        "12",
        "12345",
        "+1",
        "1/2/3",
        "1 212 555 0123",
        "07531669965",
        "(212) 555-0100",
        f"{PHONE},{PHONE}",
        "w:+12125550123",
        "+1212555012x",
    ],
)
async def test_what_is_no_number_is_rejected_and_never_reaches_the_sender_itself(
    twilio: Twilio, sms: Sms, address: str
) -> None:
    outcome = await sms.send(make_message(address=address))
    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith("the address ")
    assert twilio.requests == []


async def test_a_url_without_a_place_is_a_fixed_destination(twilio: Twilio) -> None:
    url = twilio.apprise_url.replace("{to}", PHONE)
    async with open_channel(Sms, {"url": url, "fixed": True}, twilio) as sms:
        assert not Sms.needs_contact(sms.settings)
        assert isinstance(await sms.send(make_message()), Delivered)
    assert parse_qs(twilio.requests[0].body.decode())["To"] == [PHONE]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refuse(400, 21211, "invalid"), Rejected(status=400, reason="", forget_contact=True)),
        (refuse(400, 21614, "no mobile"), Rejected(status=400, reason="", forget_contact=True)),
        (refuse(400, 21610, "unsubscribed"), Rejected(status=400, reason="")),
        (refuse(401, 20003, "Authenticate"), Suspend(status=401, reason="")),
        (refuse(404, 20404, "not found"), Suspend(status=404, reason="")),
        (ProviderReply(status=404, body=b"nothing here"), Suspend(status=404, reason="")),
        (refuse(429, 20429, "too many", retry_after="7"), Retry(status=429, reason="", after=7)),
        (ProviderReply(status=402), Suspend(status=402, reason="")),
        (ProviderReply(status=500), Retry(status=500, reason="")),
        (ProviderReply(fault="hang"), Unknown(reason="")),
        (ProviderReply(fault="reset"), Unknown(reason="")),
    ],
)
async def test_every_answer_of_twilio_has_its_outcome(
    twilio: Twilio, sms: Sms, answer: ProviderReply, expected: Outcome
) -> None:
    twilio.say([answer])
    outcome = await sms.send(make_message(address=PHONE))
    assert not isinstance(outcome, Delivered)
    for secret in (Twilio.token, PHONE, PHONE[1:]):
        assert secret not in outcome.reason
    assert without_reason(outcome) == expected


async def test_a_long_text_is_cut_at_its_segments(twilio: Twilio) -> None:
    settings = {"url": twilio.apprise_url, "segments": 2}
    async with open_channel(Sms, settings, twilio) as sms:
        await sms.send(make_message(address=PHONE, title="", body="a" * 400))
    (body,) = texts(twilio)
    assert body == "a" * 303 + "..."


async def test_a_long_text_is_sent_in_further_texts_on_request(twilio: Twilio) -> None:
    settings = {"url": twilio.apprise_url, "segments": 1, "overflow": "split"}
    async with open_channel(Sms, settings, twilio) as sms:
        outcome = await sms.send(make_message(address=PHONE, title="", body="a" * 400))
    assert outcome == Delivered(status=201, handle=f"SM{3:032}")
    assert texts(twilio) == ["a" * 160, "a" * 160, "a" * 80]


async def test_parts_that_went_out_are_not_sent_again(twilio: Twilio) -> None:
    settings = {"url": twilio.apprise_url, "segments": 1, "overflow": "split"}
    message = make_message(address=PHONE, title="", body="a" * 160 + "b" * 160 + "c")
    async with open_channel(Sms, settings, twilio) as sms:
        twilio.say([reply_json({"sid": "SM1"}, status=201), ProviderReply(status=500)])
        assert isinstance(await sms.send(message), Retry)
        assert isinstance(await sms.send(message), Delivered)
        assert isinstance(await sms.send(message), Delivered)
    firsts = [text[0] for text in texts(twilio)]
    assert firsts == ["a", "b", "b", "c", "a", "b", "c"]


VONAGE = "vonage://12345678:0123456789abcdef@15005550006/{to}"
CLICKSEND = "clicksend://user:0123456789ABCDEF@?to={to}"
SEVEN = "seven://0123456789abcdef0123456789abcdef/{to}"


def vonage(status: str) -> ProviderReply:
    return reply_json({"messages": [{"status": status, "message-id": "V1"}]})


@pytest.mark.parametrize(
    ("url", "answer", "expected"),
    [
        (VONAGE, vonage("0"), Delivered(status=200, handle="V1")),
        (VONAGE, vonage("1"), Retry(status=200, reason="", throttled=True)),
        (VONAGE, vonage("4"), Suspend(status=200, reason="")),
        (VONAGE, vonage("6"), Rejected(status=200, reason="")),
        (VONAGE, vonage("9"), Suspend(status=200, reason="")),
        (
            CLICKSEND,
            reply_json({"data": {"messages": [{"status": "INVALID_RECIPIENT"}]}}),
            Rejected(status=200, reason=""),
        ),
        (
            CLICKSEND,
            reply_json({"data": {"messages": [{"status": "INSUFFICIENT_CREDIT"}]}}),
            Suspend(status=200, reason=""),
        ),
        (
            CLICKSEND,
            reply_json({"data": {"messages": [{"status": "SUCCESS"}]}}),
            Delivered(status=200),
        ),
        (SEVEN, reply_json({"success": "100"}), Delivered(status=200)),
        (SEVEN, reply_json({"success": "900"}), Suspend(status=200, reason="")),
        (SEVEN, reply_json({"success": "202"}), Rejected(status=200, reason="")),
    ],
)
async def test_a_200_that_says_failure_is_a_failure(
    url: str, answer: ProviderReply, expected: Outcome
) -> None:
    async with (
        FakeProvider(answer) as provider,
        open_channel(Sms, {"url": url}, elsewhere=provider.url) as sms,
    ):
        outcome = await sms.send(make_message(address=PHONE))
    assert without_reason(outcome) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("plivo://id@token/15005550006/{to}", "wrong address of Plivo"),
        ("discord://1/2", "write `plugin: apprise`"),
        ("+15005550006", "write `plugin: apprise`"),
        ("twilio://ZZ1:token@+15005550006/{to}", "rejects these settings"),
    ],
)
def test_a_url_that_sends_no_texts_is_refused(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refusal:
        read_settings(Sms, {"url": url})
    assert "token" not in str(refusal.value)


async def test_a_north_american_provider_gets_the_number_without_its_country_code() -> None:
    url = "voipms://password:me@example.com/15005550006/{to}"
    async with (
        FakeProvider(answer=lambda _: reply_json({"status": "success"})) as provider,
        open_channel(Sms, {"url": url}, elsewhere=provider.url) as sms,
    ):
        assert isinstance(await sms.send(make_message(address=PHONE)), Delivered)
    assert "2125550123" in provider.requests[0].url


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("+12125550123", ""),
        ("+447700900123", ""),
        ("+14165550123", "CA"),
        ("+33612345678", "FR"),
        ("+8821212345678", "no known country"),
        ("+24740123", "AC"),
    ],
)
async def test_nothing_is_sent_to_a_country_that_is_not_named(
    twilio: Twilio, address: str, country: str
) -> None:
    settings = {"url": twilio.apprise_url, "timeout": 1.0, "countries": ["US", "GB"]}
    async with open_channel(Sms, settings, twilio) as channel:
        outcome = await channel.send(make_message(address=address, title="", body="x"))
    if country:
        reason = f"the number is in {country}, not in `countries`"
        assert outcome == Rejected(reason=reason)
        assert twilio.requests == []
    else:
        assert isinstance(outcome, Delivered)


def test_a_country_is_two_capital_letters() -> None:
    for wrong in ("usa", "us", "", 1):
        with pytest.raises(SettingsError):
            read_settings(Sms, {"url": "twilio://a:b@c", "countries": [wrong]})


@pytest.mark.parametrize(
    "number", ["2125550100", "07531669965", "0044%207700%20900123", "89161234567"]
)
def test_a_fixed_number_that_may_be_anybody_s_is_refused_when_the_rules_are_read(
    number: str,
) -> None:
    url = f"twilio://AC{'0' * 32}:{'0' * 32}@+15005550006/{number}"
    for schema in (PluginSchema(Sms), PluginSchema(Apprise)):
        with pytest.raises(SettingsError) as refused:
            schema.convert({"url": url, "fixed": True})
        assert "the fixed address" in str(refused.value)
        assert "write " in str(refused.value)


@pytest.mark.parametrize("number", ["+12125550100", "%2B442071838750", "12125550100", "12345"])
def test_a_fixed_number_with_its_country_and_a_short_code_are_taken(number: str) -> None:
    url = f"twilio://AC{'0' * 32}:{'0' * 32}@+15005550006/{number}"
    for schema in (PluginSchema(Sms), PluginSchema(Apprise)):
        schema.convert({"url": url, "fixed": True})
