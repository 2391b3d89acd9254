"""`check` says what a URL can not do: each delivery reaches one destination, and the right one."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from router.bridge import Response, check_url
from router.cli import main
from router.core.errors import SettingsError
from router.plugins.apprise.channel import Apprise
from router.plugins.email import Email
from router.plugins.sms.channel import Sms
from router.testing import ScriptedTransport, make_message
from tests.plugins.opening import read_settings

TWILIO = f"twilio://AC{'0' * 32}:{'1' * 32}@+15005550006"
PUSHPLUS = f"pushplus://{'a' * 32}"


@pytest.mark.parametrize(
    "url",
    [
        "json://host.example/u/{to}",
        "forms://host.example/{to}",
    ],
)
def test_a_service_without_recipients_has_no_place_for_one(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: the service has no place for a recipient's"):
        check_url(url)


def test_a_place_in_the_wrong_part_of_a_url_is_refused_with_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"write it as in tgram://{bot_token}/{to}$"):
        check_url("tgram://123456789:abcdefg_hijklmnop/12315544?silent={to}")


def test_a_recipient_in_the_place_of_the_host_is_refused() -> None:
    with pytest.raises(ValueError, match="stands where the host to connect to does"):
        check_url("aprs://DF1JSL-15:12345@{to}")


@pytest.mark.parametrize(
    "url",
    [
        "humhubs://user:password@host.example/1/2/3",
        f"{PUSHPLUS}/g1/g2",
        f"{PUSHPLUS}/g1,g2",
        f"pover://{'u' * 30}@{'a' * 30}/phone,tablet",
        f"pover://{'u' * 30}@{'a' * 30}/phone/tablet",
        "ntfy://host.example/one/two",
        "mailgun://user@example.com/key/anna@example.com/ben@example.com",
        "ifttt://webhook/one/two",
    ],
)
def test_several_fixed_destinations_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="reaches several at once; write a channel for each"):
        check_url(url, fixed=True)


@pytest.mark.parametrize(
    "url",
    [
        "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d#ops",
        "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d/#ops,#dev",
        "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d/ops#dev",
        "matrix://user:password@host.example#ops",
        "pbul://key#channel",
        "rocket://user:password@host.example/#ops#dev",
        "irc://host.example/##python",
        "mailto://user:pass#word@host.example/{to}",
    ],
)
def test_a_target_after_a_lost_number_sign_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: what follows the # would be left out; write %23"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ntfy://host.example/{To}",
        "ntfy://host.example/{ to }",
        "ntfy://host.example/{{to}}",
        "ntfy://host.example/{{ to }}",
        "ntfy://host.example/${to}",
        "ntfy://host.example/{recipient}",
        "ntfy://host.example/{to",
        "ntfy://host.example/to}",
        "ntfy://host.example/{}",
        "ntfy://host.example/alerts?tags={kind}",
    ],
)
def test_a_place_by_another_name_is_no_topic(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: "):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "matrix://user:password@host.example/#ops",
        "matrix://user:password@host.example?to=#ops",
        "pbul://key/#channel",
        "irc://host.example/%23%23python",
        "ntfy://host.example/%7Bto%7D",
        "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d/#{to}",
    ],
)
def test_a_number_sign_that_apprise_keeps_is_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    ["ntfy://host.example/{to}/two", "mailto://user:password@host.example/{to}?to=b@example.com"],
)
def test_a_recipient_beside_a_fixed_destination_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"{to} stands beside other targets"):
        check_url(url)


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        (Email, "mailto://user:password@host.example/ops@host.example?cc={to}"),
        (Email, "mailto://user:password@host.example/ops@host.example?from={to}"),
        (Email, "mailto://user:password@host.example/ops@host.example?smtp={to}"),
        (Email, "mailto://user:password@host.example?name={to}"),
        (Email, "mailto://user:password@{to}"),
        (Email, "mailto://{to}:password@host.example"),
        (Email, "sendgrid://key:chat@host.example/ops@host.example?template={to}"),
        (Email, "mailgun://chat@host.example/key/ops@host.example?bcc={to}"),
        (Sms, f"{TWILIO}/+12125550100?x={{to}}"),
        (Sms, f"{TWILIO}/+12125550123?x={{to}}"),
        (Sms, TWILIO.replace("+15005550006", "{to}/+12125550100")),
        (Sms, TWILIO.replace("1" * 32, "{to}") + "/+12125550100"),
        (Sms, "46elks://user:password@{to}"),
        (Apprise, "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops?footer={to}"),
        (Apprise, "discord://4174216298/" + "a" * 60 + "?ping={to}"),
        (Apprise, "tgram://123456789:abcdefg_hijklmnop/12315544?topic={to}"),
        (Apprise, "ntfy://host.example/alerts?email={to}"),
        (Apprise, "jsons://host.example/hook?{to}=1"),
        (Apprise, "tweet://ckey/csecret/akey/asecret/{to}"),
        (Apprise, "x://ckey/csecret/akey/asecret/{to}?mode=tweet"),
    ],
)
def test_a_recipient_beside_the_destination_is_refused(channel: type, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(channel, {"url": url})
    assert [fault.path for fault in caught.value.faults] == [("url",)]


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        (Sms, TWILIO.replace("+15005550006", "+12125550123") + "/{to}"),
        (Sms, "mobilemessage://user:password@sender/{to}"),
        (Email, "mailto://anna:password@example.com/{to}?from=anna@example.com"),
        (Apprise, f"pover://{{to}}@{'a' * 30}/phone"),
        (Apprise, "gotify://host.example/path/{to}"),
        (Apprise, "x://ckey/csecret/akey/asecret/{to}"),
        (Apprise, f"{TWILIO}/?to={{to}}"),
    ],
)
def test_a_recipient_in_the_place_of_the_destination_is_taken(channel: type, url: str) -> None:
    assert read_settings(channel, {"url": url})


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        (Email, "mailto://user:password@host.example?from=chat@host.example"),
        (Email, "mailtos://user:password@host.example/ops@host.example"),
        (Sms, f"{TWILIO}/+12125550100"),
        (Apprise, "mailto://user:password@host.example?from=chat@host.example"),
        (Apprise, f"{TWILIO}/+12125550100"),
        (Apprise, "ses://chat@host.example/key/secret/us-east-2/ops@host.example"),
        (Apprise, "smtp2go://chat@host.example/key/ops@host.example"),
        (Apprise, "sparkpost://chat@host.example/key/ops@host.example"),
        (Apprise, "signal://host.example/+15005550006/+12125550100"),
        (Apprise, "bulksms://user:password@+12125550100"),
        (Apprise, "pbul://key/anna@example.com"),
    ],
)
def test_a_fixed_person_must_be_asked_for(channel: type, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(channel, {"url": url})
    assert [fault.path for fault in caught.value.faults] == [("url",)]
    assert "everybody's messages go to one address" in str(caught.value)
    assert read_settings(channel, {"url": url, "fixed": True})


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        (Email, "mailtos://user:password@host.example/{to}"),
        (Apprise, "tgram://123456789:abcdefg_hijklmnop/{to}"),
    ],
)
def test_what_is_fixed_has_no_place_for_a_recipient(channel: type, url: str) -> None:
    with pytest.raises(SettingsError, match=r"goes with a url without {to}"):
        read_settings(channel, {"url": url, "fixed": True})


@pytest.mark.parametrize(
    "url",
    [
        "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d/#general",
        "tgram://123456789:abcdefg_hijklmnop/12315544",
        "discord://4174216298/" + "a" * 60,
        "jsons://json.example/?:to={to}",
        f"{PUSHPLUS}/{{to}}",
        "humhubs://user:password@host.example/{to}",
        "mailtos://user:password@example.com?to={to}&cc=dev@example.org,ops@example.org",
        "clicksend://user:password@{to}",
    ],
)
def test_one_destination_is_taken(url: str) -> None:
    check_url(url)


def test_what_may_lack_a_package_names_it() -> None:
    with pytest.raises(ValueError, match=r"or needs a package: run pip install 'pika'"):
        check_url("amqp://host.example")


RULES = """\
version: 1
channels:
  bad: {plugin: apprise, url: "${env:BAD}"}
  mail: {plugin: email, url: "${env:MAIL}"}
rules:
  - {name: all, send: [bad]}
"""


def test_check_names_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    monkeypatch.setenv("BAD", "json://host.example/u/{to}")
    monkeypatch.setenv("MAIL", "mailto://user:password@host.example?from=chat@host.example")
    result = CliRunner().invoke(main, ["check", str(rules)])
    assert result.exit_code == 1
    assert f"{rules}:3:31: error: the service has no place for a recipient's" in result.output
    assert f"{rules}:4:30: error: without {{to}}, everybody's messages" in result.output


def test_a_test_message_to_a_fixed_channel_names_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("bad:", "ops:").replace("[bad]", "[ops]"))
    monkeypatch.setenv("BAD", "jsons://host.example/hook")
    monkeypatch.setenv("MAIL", "mailto://user:password@host.example/{to}")
    monkeypatch.setenv("ROUTER_RULES", str(rules))
    monkeypatch.setenv("ROUTER_SANDBOX", "1")
    call = ["send", "--channel", "ops", "--to", "anna@example.com"]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 2
    assert "fixed destination in its settings" in result.output
    assert CliRunner().invoke(main, call[:3]).exit_code == 0


@pytest.mark.parametrize(
    "url",
    [
        "mailgun://user@host.example/key/{to}",
        "pingram://pingram_sk_abcdefghij/{to}",
        "sendpulse://user@host.example/abcdefghij/abcdefghij/{to}",
    ],
)
async def test_a_person_called_as_the_router_is_gets_mail(url: str) -> None:
    transport = ScriptedTransport(Response(status=200, body=b'{"access_token": "t", "id": "7"}'))
    channel = Apprise(read_settings(Apprise, {"url": url}), transport)
    await channel.send(make_message(address="router@host.example"))
    await channel.aclose()
    assert transport.carried
