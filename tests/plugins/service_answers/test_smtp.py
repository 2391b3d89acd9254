"""Refusals of mail servers: about the sender or about the recipient, in the servers' own words."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import quote

import msgspec
import pytest
from msgspec import Struct

from router import Delivered, Outcome, Rejected, Retry, Suspend
from router.plugins.apprise.channel import Apprise
from router.plugins.email import Email
from router.registry import load_plugins
from router.transport.http import AiohttpTransport
from tests import TESTDATA
from tests.fakes.mail import MailServer
from tests.plugins.opening import make_message, open_channel, read_settings
from tests.transport.scripted_smtp_server import Server

ADDRESS = "george@example.org"


class Refusal(Struct, frozen=True, forbid_unknown_fields=True):
    """A reply that a kind of server gives, and what it means."""

    at: Literal["rcpt", "data"]
    reply: str
    outcome: Literal["suspend", "refused", "rejected", "gone", "retry"]
    server: str


TABLE = TESTDATA / "smtp_refusals.json"
REFUSALS = msgspec.json.decode(TABLE.read_bytes(), type=list[Refusal])


@pytest.fixture(scope="module", autouse=True)
def _tables() -> None:
    """Let the plugins share their tables, as the router does when it starts."""
    load_plugins()


def name_outcome(outcome: Outcome) -> str:
    match outcome:
        case Rejected(forget_contact=True):
            return "gone"
        case Suspend(scope="recipient"):
            return "refused"
        case _:
            return type(outcome).__name__.lower()


@pytest.mark.parametrize("kind", [Email, Apprise], ids=["email", "apprise"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.reply[:40])
async def test_a_refusal_is_read_as_its_server_means_it(
    refusal: Refusal, kind: type[Email | Apprise]
) -> None:
    async with MailServer() as server:
        setattr(server, f"at_{refusal.at}", refusal.reply)
        async with open_channel(kind, {"url": f"{server.apprise_url}&to={{to}}"}) as channel:
            outcome = await channel.send(make_message(address=ADDRESS))
    assert name_outcome(outcome) == refusal.outcome
    assert not isinstance(outcome, Delivered)
    assert outcome.reason.startswith(f"{refusal.reply[:3]} to {refusal.at}")
    assert "@" not in outcome.reason


async def test_the_operator_reads_the_servers_words_without_any_address() -> None:
    async with MailServer() as server:
        server.at_rcpt = (
            "550 5.7.1 <chat@example.com>: Sender address rejected: not owned by user "
            f"mailer@example.com, mail to {ADDRESS} alias george stays here {'x' * 300}"
        )
        async with open_channel(Email, {"url": f"{server.apprise_url}&to={{to}}"}) as email:
            outcome = await email.send(make_message(address=ADDRESS))
    assert isinstance(outcome, Suspend)
    assert outcome.reason.startswith(
        "550 to rcpt: 5.7.1 …: Sender address rejected: not owned by user … mail to … alias … stays"
    )
    assert len(outcome.reason) < 150
    assert "george" not in outcome.reason


class LoginServer:
    """A mail server that offers certain ways to log in, and keeps what it is told."""

    def __init__(self, greeting: Sequence[str]) -> None:
        self.lines: list[str] = []
        self._greeting = greeting

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while line := (await reader.readline()).decode().strip():
            self.lines.append(line)
            writer.write(self._answer(line).encode() + b"\r\n")
        writer.close()

    def _answer(self, line: str) -> str:
        verb = line.partition(" ")[0].upper()
        if verb == "EHLO":
            last = len(self._greeting) - 1
            return "\r\n".join(
                f"250{' ' if n == last else '-'}{text}" for n, text in enumerate(self._greeting)
            )
        if line.upper().startswith("AUTH LOGIN "):
            return "334 UGFzc3dvcmQ6"
        return "535 5.7.8 the login is wrong" if verb not in {"QUIT", "RSET"} else "250 ok"


@asynccontextmanager
async def logging_in(
    *greeting: str, password: str = "pw"
) -> AsyncIterator[tuple[LoginServer, Email]]:
    server = LoginServer(greeting)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    place = f"example.com:{port}?smtp=127.0.0.1&mode=insecure&to={{to}}"
    url = f"mailto://mailer:{quote(password, safe='')}@{place}"
    async with open_channel(Email, {"url": url}) as email:
        yield server, email
    listener.close()


OFFERED = "504 to auth: the server offers NTLM, GSSAPI, XOAUTH2 to log in, and the router has none"


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        ("554 5.7.1 host is on a list", Suspend, "554 to connect: 5.7.1 host is on a list"),
        ("421 4.3.2 too busy", Retry, "421 to connect: 4.3.2 too busy"),
    ],
)
@pytest.mark.parametrize("verbs", [{"EHLO", "HELO"}, set()], ids=["at EHLO", "at the greeting"])
@pytest.mark.parametrize("login", ["mailer:pw@", ""])
async def test_a_server_that_refuses_the_router_by_name_is_heard(
    verbs: set[str], login: str, reply: str, kind: type[Outcome], reason: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n" if verbs else f"{reply}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            refused = line.partition(" ")[0].upper() in verbs
            writer.write(f"{reply}\r\n".encode() if refused else b"250 ok\r\n")
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    place = f"example.com:{port}?smtp=127.0.0.1&mode=insecure&from=a@example.com&to={{to}}"
    async with open_channel(Email, {"url": f"mailto://{login}{place}"}) as email:
        outcome = await email.send(make_message(address=ADDRESS))
    listener.close()
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Delivered)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("ssl", "the server's certificate is not trusted"),
        ("starttls", "the server's certificate is not trusted"),
        ("", "the server does not use TLS on this port"),
    ],
)
async def test_a_mail_server_that_proves_no_identity_suspends(mode: str, reason: str) -> None:
    async with Server(implicit=mode == "ssl", starttls=mode == "starttls") as server:
        place = f"example.com:{server.port}?smtp=127.0.0.1&mode={mode or 'ssl'}&to={{to}}"
        settings = read_settings(Email, {"url": f"mailtos://mailer:pw@{place}"})
        transport = AiohttpTransport()
        email = Email(settings, transport)
        outcome = await email.send(make_message(address=ADDRESS))
        await email.aclose()
        await transport.aclose()
    assert outcome == Suspend(reason=reason)


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (
            ["mail.test", "AUTH NTLM GSSAPI XOAUTH2"],
            OFFERED,
        ),
        (["mail.test"], "502 to auth: the server offers no login"),
        (
            ["mail.test", "STARTTLS"],
            "502 to auth: the server offers no login before STARTTLS: write mailtos://",
        ),
        (["mail.test", "AUTH PLAIN"], "535 to auth: 5.7.8 the login is wrong"),
    ],
)
async def test_a_login_that_cannot_be_made_suspends_and_says_why(
    greeting: list[str], reason: str
) -> None:
    async with logging_in(*greeting) as (_, email):
        outcome = await email.send(make_message(address=ADDRESS))
    assert isinstance(outcome, Suspend)
    assert outcome.reason == reason


@pytest.mark.parametrize("offered", ["PLAIN LOGIN", "LOGIN"])
async def test_a_password_beyond_ascii_is_sent_as_utf8(offered: str) -> None:
    async with logging_in("m", f"AUTH {offered}", password="pässwort") as opened:
        server, email = opened
        outcome = await email.send(make_message(address=ADDRESS))
    assert isinstance(outcome, Suspend)
    said = [line.split()[-1] for line in server.lines if not line.startswith(("ehlo", "QUIT"))]
    texts = [b64decode(text) for text in said[:2]]
    expected = {
        "PLAIN LOGIN": ["\0mailer\0pässwort".encode()],
        "LOGIN": [b"mailer", "pässwort".encode()],
    }[offered]
    assert texts[: len(expected)] == expected


async def test_cram_md5_alone_cannot_take_a_password_beyond_ascii() -> None:
    async with logging_in("m", "AUTH CRAM-MD5", password="pässwort") as (_, email):
        outcome = await email.send(make_message(address=ADDRESS))
    assert isinstance(outcome, Suspend)
    assert "only PLAIN and LOGIN" in outcome.reason


async def test_a_server_that_shuts_down_is_tried_again() -> None:
    async with MailServer() as server:
        server.at_rcpt = "421 4.3.2 shutting down"
        async with open_channel(Email, {"url": f"{server.apprise_url}&to={{to}}"}) as email:
            outcome = await email.send(make_message(address=ADDRESS))
    assert isinstance(outcome, Retry)
