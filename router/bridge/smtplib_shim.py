"""What Apprise's mail plugin sees under the names `smtplib` and `ssl`.

A message becomes one `Request(method="SMTP")` over the transport of the send, so that it is pooled,
recorded and refused like any other. Its URL is `smtp`, `smtps` (TLS from the first byte) or
`smtp+starttls`, user and password in it; the headers `from` and `to` are the envelope's.
"""

import re
import smtplib
import ssl
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from urllib.parse import quote

from router.bridge.module_shim import copy_public_names
from router.bridge.send_context import OutsideSendError, SendContext, current_send_context
from router.channel import Request, TransportError

SUCCESS_CODES = range(200, 300)

_LINE_END = re.compile(rb"\r\n|\n|\r")
"""SMTP knows one end of a line (RFC 5321, 2.3.8); texts have three."""


_TO_HEADER = re.compile(rb"^To:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)


class SSLContextStub:
    """A stand-in for an SSL context; the real ones are the transport's, and shared."""

    check_hostname = True
    verify_mode: ssl.VerifyMode = ssl.CERT_REQUIRED


class SSLShim(ModuleType):
    """The `ssl` module, less the loading of certificates for each message."""

    def __init__(self) -> None:
        """Carry every name of the real module."""
        super().__init__("ssl.in.trips")
        self.__dict__.update(copy_public_names(ssl, less={"create_default_context"}))

    def create_default_context(self) -> SSLContextStub:
        """Return a stand-in."""
        return SSLContextStub()


class SMTPSessionStub:
    """A stand-in for `smtplib.SMTP` that connects to nothing."""

    scheme = "smtp"

    def __init__(
        self,
        host: str,
        port: int,
        *_: object,
        context: SSLContextStub | None = None,
        **__: object,
    ) -> None:
        """Remember where the message is to go."""
        self._host_and_port = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._userinfo = ""
        self._context = context

    def starttls(self, *, context: SSLContextStub | None = None) -> None:
        """Ask for TLS before anything is said."""
        self.scheme = "smtp+starttls"
        self._context = context

    def login(self, user: str, password: str) -> None:
        """Remember who to log in as."""
        self._userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}@"

    def sendmail(
        self, sender: str, recipients: Sequence[str], message: str | bytes
    ) -> dict[str, tuple[int, bytes]]:
        """Hand one message over; raises smtplib's exceptions."""
        verify = self._context is None or self._context.verify_mode is not ssl.CERT_NONE
        content = message if isinstance(message, bytes) else message.encode()
        request = Request(
            method="SMTP",
            url=f"{self.scheme}://{self._userinfo}{self._host_and_port}",
            headers={"from": sender, "to": ", ".join(recipients)},
            body=_set_to_header(_LINE_END.sub(b"\r\n", content), recipients[0]),
            verify=verify,
        )
        try:
            response = _find_send_context().fetch(request)
        except TransportError as error:
            raise smtplib.SMTPServerDisconnected(error.reason) from None
        if response.status in SUCCESS_CODES:
            return {}
        raise smtplib.SMTPResponseException(response.status, response.body)

    def quit(self) -> None:
        """Do nothing: the connection is the transport's."""


def _set_to_header(content: bytes, recipient: str) -> bytes:
    """Return a mail whose To header names a recipient beyond ASCII as UTF-8 (RFC 6532, 3.2).

    Apprise writes such an address as an encoded word, which no address may be (RFC 2047, 5).
    """
    if recipient.isascii():
        return content
    return _TO_HEADER.sub(lambda _: b"To: " + recipient.encode(), content, count=1)


class SMTPSSLSessionStub(SMTPSessionStub):
    """A stand-in for `smtplib.SMTP_SSL`."""

    scheme = "smtps"


class OutsideSendMailError(smtplib.SMTPException):
    """Mail was to be handed over where no send runs; nothing was."""


class SmtplibShim(ModuleType):
    """The `smtplib` module, less the connecting."""

    def __init__(self) -> None:
        """Carry the names of the real module that connect to nothing."""
        super().__init__("smtplib.in.trips")
        self.__dict__.update(copy_public_names(smtplib, less={"LMTP", "SMTP", "SMTP_SSL"}))

    def SMTP(self, *place: Any, **options: Any) -> SMTPSessionStub:  # noqa: N802, ANN401 - smtplib's own signature
        """Return a session of the send; raises `OutsideSendMailError` outside of one."""
        _find_send_context()
        return SMTPSessionStub(*place, **options)

    def SMTP_SSL(self, *place: Any, **options: Any) -> SMTPSSLSessionStub:  # noqa: N802, ANN401 - the same
        """Return a session of the send over TLS; raises `OutsideSendMailError` outside of one."""
        _find_send_context()
        return SMTPSSLSessionStub(*place, **options)


def _find_send_context() -> SendContext:
    try:
        return current_send_context()
    except OutsideSendError as error:
        raise OutsideSendMailError(str(error)) from None
