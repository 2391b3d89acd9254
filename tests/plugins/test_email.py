"""E-mail: what a mail server gets, and what its replies mean."""

from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest

from router import AddressError, Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.errors import SettingsError
from router.plugins.email import Email
from router.testing import FakeProvider
from tests import TESTDATA
from tests.fakes.answer import read_json, reply_json
from tests.fakes.mail import MailServer
from tests.plugins.opening import make_message, open_channel, read_settings, without_reason

ADDRESS = "george@example.org"


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as running:
        yield running


@pytest.fixture
async def email(server: MailServer) -> AsyncIterator[Email]:
    settings = {"url": f"{server.apprise_url}&to={{to}}", "from_name": "Chat", "timeout": 1.0}
    async with open_channel(Email, settings) as channel:
        yield channel


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    content = found.get_content()
    assert isinstance(content, str)
    return "\n".join(content.strip().splitlines())


async def test_a_mail_reaches_the_person_as_text_and_as_html(
    server: MailServer, email: Email
) -> None:
    message = make_message(address=ADDRESS, title="Andrew", body="1 < 2 & <b>so on</b>\nBye 😀")
    outcome = await email.send(message)
    mail = server.mails[0]
    assert outcome == Delivered(status=250, handle=mail.message["Message-ID"])
    assert (mail.sender, mail.recipients) == ("mailer@example.com", (ADDRESS,))
    assert mail.message["From"] == "Chat <mailer@example.com>"
    assert mail.message["To"] == ADDRESS
    assert mail.message["Subject"] == "Andrew"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message.get_content_type() == "multipart/alternative"
    assert part(mail.message, "plain") == "1 < 2 & <b>so on</b>\nBye 😀"
    assert "1 &lt; 2 &amp; &lt;b&gt;so on&lt;/b&gt;<br/>Bye 😀" in part(mail.message, "html")


async def test_without_html_the_mail_is_plain_text(server: MailServer) -> None:
    settings = {"url": f"{server.apprise_url}&to={{to}}", "html": False}
    async with open_channel(Email, settings) as email:
        await email.send(make_message(address=ADDRESS, body="a  <b>\n\nc", link="https://x.test/"))
    mail = server.mails[0].message
    assert mail.get_content_type() == "text/plain"
    assert part(mail, "plain") == "a  <b>\n\nc\n\nhttps://x.test/"


async def test_the_mails_of_a_conversation_make_a_thread(server: MailServer, email: Email) -> None:
    one, other = "push_chat_one_on_one", "push_chat_mention_group"
    for sample in (one, one, other):
        await email.send(make_message(sample, address=ADDRESS))
    roots = [mail.message["References"] for mail in server.mails]
    assert roots[0] == roots[1] == server.mails[0].message["In-Reply-To"]
    assert roots[0] != roots[2]
    assert roots[0].endswith("@example.com>")
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 3


async def test_a_subject_cannot_bring_in_a_header(server: MailServer, email: Email) -> None:
    title = "Hi\r\nBcc: everyone@example.org\r\n\r\nOther body"
    await email.send(make_message(address=ADDRESS, title=title))
    mail = server.mails[0]
    assert mail.message["Subject"] == "Hi Bcc: everyone@example.org Other body"
    assert mail.message["Bcc"] is None
    assert mail.recipients == (ADDRESS,)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "george",
        "a@b.org,c@d.org",
        "a@b.org c@d.org",
        "A <a@b.org>",
        "a@b.org\r\nBcc: c@d.org",
        "a@b.org&smtp=evil.test",
    ],
)
async def test_what_is_no_single_address_is_rejected(
    server: MailServer, email: Email, address: str
) -> None:
    assert isinstance(await email.send(make_message(address=address)), Rejected)
    assert server.mails == []


@pytest.mark.parametrize(
    ("address", "envelope"),
    [
        ("george@bücher.example", "george@xn--bcher-kva.example"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("用户@例子.测试", "用户@xn--fsqu00a.xn--0zwm56d"),
    ],
)
async def test_an_address_beyond_ascii_gets_its_mail(
    server: MailServer, email: Email, address: str, envelope: str
) -> None:
    assert isinstance(await email.send(make_message(address=address, title="Grüße")), Delivered)
    (mail,) = server.mails
    assert mail.recipients == (envelope,)
    assert f"\r\nTo: {envelope}\r\n".encode() in mail.content
    assert mail.message["Subject"] == "Grüße"


async def test_every_address_that_is_registered_gets_its_mail(
    server: MailServer, email: Email
) -> None:
    table = TESTDATA / "addresses" / "mailboxes.tsv"
    rows = [line.split("\t") for line in table.read_text("utf-8").splitlines()[1:]]
    forms = []
    for address, form in rows:
        try:
            forms.append(Email.normalize_address(address, settings=email.settings))
        except AddressError:
            continue
        assert forms[-1] == form
        assert isinstance(await email.send(make_message(address=form)), Delivered), form
    assert [mail.recipients for mail in server.mails] == [(form,) for form in forms]
    assert "o'brien@example.com" in forms


async def test_a_server_without_smtputf8_refuses_letters_beyond_ascii_before_the_at(
    server: MailServer, email: Email
) -> None:
    server.has_smtputf8 = False
    outcome = await email.send(make_message(address="jürgen@example.org"))
    assert isinstance(outcome, Rejected)
    assert not outcome.forget_contact
    assert "the server takes no address beyond ASCII" in outcome.reason
    assert isinstance(await email.send(make_message(address="george@bücher.example")), Delivered)


async def test_one_connection_serves_many_mails(server: MailServer, email: Email) -> None:
    for _ in range(5):
        await email.send(make_message(address=ADDRESS))
    assert len(server.mails) == 5
    assert server.connections == 1


async def test_a_link_that_could_run_is_shown_but_not_linked(
    server: MailServer, email: Email
) -> None:
    await email.send(make_message(address=ADDRESS, link="javascript:alert(1)"))
    await email.send(make_message(address=ADDRESS, link='https://x.test/"><script>'))
    first, second = (part(mail.message, "html") for mail in server.mails)
    assert "<a" not in first
    assert "<script>" not in second


@pytest.mark.parametrize(
    ("at", "reply", "expected"),
    [
        ("at_rcpt", "550 5.1.1 no such user", Rejected(status=550, reason="", forget_contact=True)),
        ("at_rcpt", "550 5.7.1 not wanted here", Rejected(status=550, reason="")),
        ("at_rcpt", "551 user not local", Rejected(status=551, reason="")),
        ("at_rcpt", "553 mailbox name not allowed", Rejected(status=553, reason="")),
        ("at_rcpt", "450 4.2.1 mailbox busy", Retry(status=450, reason="")),
        ("at_data", "451 4.3.0 try again later", Retry(status=451, reason="")),
        ("at_data", "554 5.7.1 spam", Rejected(status=554, reason="")),
    ],
)
async def test_every_reply_of_a_mail_server_has_its_outcome(
    server: MailServer, email: Email, at: str, reply: str, expected: Outcome
) -> None:
    setattr(server, at, reply)
    outcome = await email.send(make_message(address=ADDRESS))
    assert not isinstance(outcome, Delivered)
    assert ADDRESS not in outcome.reason
    assert without_reason(outcome) == expected


async def test_a_wrong_password_suspends_the_channel(server: MailServer) -> None:
    url = server.apprise_url.replace("correct", "incorrect")
    async with open_channel(Email, {"url": f"{url}&to={{to}}"}) as email:
        outcome = await email.send(make_message(address=ADDRESS))
    assert isinstance(outcome, Suspend)
    assert outcome.status == 535
    assert "incorrect" not in outcome.reason


async def test_a_server_that_hangs_after_the_mail_may_have_taken_it(
    server: MailServer, email: Email
) -> None:
    server.hangs = True
    assert isinstance(await email.send(make_message(address=ADDRESS)), Unknown)


async def test_a_server_that_is_down_is_tried_again() -> None:
    url = "mailto://me:secret@example.com?smtp=127.0.0.1&port=9&mode=insecure&to={to}"
    async with open_channel(Email, {"url": url}) as email:
        assert isinstance(await email.send(make_message(address=ADDRESS)), Retry)


SENDGRID = "sendgrid://0123456789abcdef:mailer@example.com/{to}"
SMTP2GO = "smtp2go://mailer@example.com/0123456789abcdef/{to}"
POSTMARK = "postmark://0123456789abcdef:mailer@example.com/{to}"


async def test_a_mailer_gets_the_mail_over_http() -> None:
    async with (
        FakeProvider(answer=lambda _: reply_json({}, status=202)) as provider,
        open_channel(Email, {"url": SENDGRID}, elsewhere=provider.url) as email,
    ):
        outcome = await email.send(make_message(address=ADDRESS, title="Andrew", body="a < b"))
    assert outcome == Delivered(status=202)
    body = read_json(provider.requests[0])
    assert body["personalizations"] == [{"to": [{"email": ADDRESS}]}]
    assert body["subject"] == "Andrew"
    assert "a &lt; b" in str(body["content"])


@pytest.mark.parametrize(
    ("url", "status", "answer", "expected"),
    [
        (
            SMTP2GO,
            200,
            {"data": {"succeeded": 1, "failed": 0, "email_id": "E1"}},
            Delivered(status=200, handle="E1"),
        ),
        (SMTP2GO, 200, {"data": {"succeeded": 0, "failed": 1}}, Rejected(status=200, reason="")),
        (POSTMARK, 422, {"ErrorCode": 406}, Rejected(status=422, reason="")),
        (POSTMARK, 422, {"ErrorCode": 405}, Suspend(status=422, reason="")),
        (POSTMARK, 401, {"ErrorCode": 10}, Suspend(status=401, reason="")),
    ],
)
async def test_a_mailer_s_own_words_decide(
    url: str, status: int, answer: dict[str, object], expected: Outcome
) -> None:
    async with (
        FakeProvider(answer=lambda _: reply_json(answer, status=status)) as provider,
        open_channel(Email, {"url": url}, elsewhere=provider.url) as email,
    ):
        outcome = await email.send(make_message(address=ADDRESS))
    assert without_reason(outcome) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "discord://1/2"}, "write `plugin: apprise`"),
        ({"url": SENDGRID, "from_name": "Chat"}, r"goes with mailto\(s\):// alone"),
        ({"url": "mailto://a:b@c.org/{to}", "from_name": "Chat\nBcc: x"}, "must be one line"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_settings(Email, settings)
