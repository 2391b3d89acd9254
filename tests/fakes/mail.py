"""A mail server that takes logins and mail over SMTP, and answers as told."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec import Struct


class Mail(Struct, frozen=True, kw_only=True):
    """A mail as it was handed over."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class MailServer:
    """Takes mail for anyone; `at_login`, `at_rcpt` and `at_data` say otherwise when set."""

    user = "mailer"
    domain = "example.com"
    password = "correct horse"

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.at_rcpt = ""
        self.at_data = ""
        self.hangs = False
        self.has_smtputf8 = True
        self.port = 0
        self._sessions: list[SMTP] = []
        self._over = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        await asyncio.sleep(0)

    @property
    def apprise_url(self) -> str:
        """The server as a team would write it, but for whom the mail is to reach."""
        login = f"{self.user}:{quote(self.password, safe='')}"
        place = "smtp=127.0.0.1&mode=insecure"
        return f"mailto://{login}@{self.domain}:{self.port}?{place}"

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return len(self._sessions)

    def _connect(self) -> SMTP:
        session = SMTP(
            self,
            hostname="mail.test",
            enable_SMTPUTF8=self.has_smtputf8,
            auth_require_tls=False,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._sessions.append(session)
        return session

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False)
        self.logins.append(data.login.decode())
        good = (data.login.decode(), data.password.decode()) == (self.user, self.password)
        return AuthResult(success=good, handled=False)

    async def handle_RCPT(  # noqa: N802 - the handler's protocol
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_rcpt:
            return self.at_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        if self.hangs:
            await self._over.wait()
        if self.at_data:
            return self.at_data
        content = envelope.original_content or b""
        sender = envelope.mail_from or ""
        self.mails.append(Mail(sender=sender, recipients=tuple(envelope.rcpt_tos), content=content))
        return "250 2.0.0 OK: queued as 4F2A"
