"""A mail server on loopback that answers each command as it is told."""

import asyncio
from typing import Self

from aiosmtpd.smtp import SMTP as Dialogue  # noqa: N811 - two things of that name
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.transport.certificate import make_authority


class Server:
    """A mail server on loopback; `replies` says what a command is answered with."""

    def __init__(self, *, implicit: bool = False, starttls: bool = False) -> None:
        self.replies: dict[str, str] = {}
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.connections: list[Dialogue] = []
        self.hanging = False
        self._implicit = implicit
        self._starttls = starttls

    async def __aenter__(self) -> Self:
        tls, _ = make_authority()
        self._server = await asyncio.get_running_loop().create_server(
            self._connect, "127.0.0.1", 0, ssl=tls if self._implicit else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()
        self._server.close()
        await self._server.wait_closed()

    def drop(self) -> None:
        """Close every connection, as a server does that was idle for long."""
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.close()

    def _connect(self) -> Dialogue:
        tls, _ = make_authority()
        dialogue = Dialogue(
            self,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=tls if self._starttls else None,
            require_starttls=self._starttls,
            auth_require_tls=False,
            authenticator=self._log_in,
        )
        self.connections.append(dialogue)
        return dialogue

    def _log_in(
        self, _: Dialogue, __: Session, ___: Envelope, ____: str, given: object
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == b"pass:word/@"
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _: Dialogue, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer MAIL."""
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.replies.get("mail", "250 2.1.0 ok")

    async def handle_RCPT(  # noqa: N802 - the same
        self, _: Dialogue, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT."""
        envelope.rcpt_options.extend(options)
        reply = self.replies.get(f"rcpt {address}", self.replies.get("rcpt", "250 2.1.5 ok"))
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _: Dialogue, __: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        """Answer the message."""
        if self.hanging:
            await asyncio.Event().wait()
        reply = self.replies.get("data", "250 2.0.0 queued as 7")
        if reply.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.mails.append((str(envelope.mail_from), envelope.rcpt_tos, content))
        return reply
