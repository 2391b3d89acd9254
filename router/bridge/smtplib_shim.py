"""The modules that Apprise's mail plugin gets under the names `smtplib` and `ssl`.

A message becomes one `Request(method="SMTP")` over the transport of the send, so that it is pooled,
recorded and refused as any other request. The scheme of its URL is `smtp`, `smtps` (TLS from the
first byte) or `smtp+starttls`; the URL holds user and password. The headers `from` and `to` are
the envelope's.
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
"""The line ends of texts; SMTP allows CRLF alone (RFC 5321, 2.3.8)."""


_TO_HEADER = re.compile(rb"^To:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)


class SSLContextStub:
    """A stand-in for an SSL context; the transport has the real ones, and shares them."""

    check_hostname = True
    verify_mode: ssl.VerifyMode = ssl.CERT_REQUIRED


class SSLShim(ModuleType):
    """The `ssl` module without the loading of certificates for each message."""

    def __init__(self) -> None:
        super().__init__("ssl.shim")
        self.__dict__.update(copy_public_names(ssl, without={"create_default_context"}))

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
        self._host_and_port = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._userinfo = ""
        self._context = context

    def starttls(self, *, context: SSLContextStub | None = None) -> None:
        """Make the transport start TLS before it sends anything else."""
        self.scheme = "smtp+starttls"
        self._context = context

    def login(self, user: str, password: str) -> None:
        """Keep the login for the request's URL."""
        self._userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}@"

    def sendmail(
        self, sender: str, recipients: Sequence[str], message: str | bytes
    ) -> dict[str, tuple[int, bytes]]:
        """Send one message; raises the exceptions of smtplib."""
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
        """Do nothing: the transport owns the connection."""


def _set_to_header(content: bytes, recipient: str) -> bytes:
    """Return a mail whose To header names a recipient beyond ASCII as UTF-8 (RFC 6532, 3.2).

    Apprise writes such an address as an encoded word, which is invalid there (RFC 2047, 5).
    """
    if recipient.isascii():
        return content
    return _TO_HEADER.sub(lambda _: b"To: " + recipient.encode(), content, count=1)


class SMTPSSLSessionStub(SMTPSessionStub):
    """A stand-in for `smtplib.SMTP_SSL`."""

    scheme = "smtps"


class OutsideSendMailError(smtplib.SMTPException):
    """A plugin sends mail outside of a send; nothing was sent."""


class SmtplibShim(ModuleType):
    """The `smtplib` module without its connections."""

    def __init__(self) -> None:
        super().__init__("smtplib.shim")
        self.__dict__.update(copy_public_names(smtplib, without={"LMTP", "SMTP", "SMTP_SSL"}))

    def SMTP(self, *args: Any, **options: Any) -> SMTPSessionStub:  # noqa: N802, ANN401 - smtplib's own signature
        """Return a session of the send; raises `OutsideSendMailError` outside of one."""
        _find_send_context()
        return SMTPSessionStub(*args, **options)

    def SMTP_SSL(self, *args: Any, **options: Any) -> SMTPSSLSessionStub:  # noqa: N802, ANN401 - the same
        """Return a session of the send over TLS; raises `OutsideSendMailError` outside of one."""
        _find_send_context()
        return SMTPSSLSessionStub(*args, **options)


def _find_send_context() -> SendContext:
    try:
        return current_send_context()
    except OutsideSendError as error:
        raise OutsideSendMailError(str(error)) from None
