"""A blocking SMTP client: connect, log in, send a message; an error names the refused command."""

import smtplib
import ssl
import threading
import time
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from router.channel import Request

CODE_OK = 250
CODE_AUTH_SUCCEEDED = 235
CODE_AUTH_CONTINUE = 334
CODE_ADDRESS_NOT_ALLOWED = 553
"""The code for an address that needs an extension the server lacks (RFC 6531)."""

CODE_COMMAND_NOT_IMPLEMENTED = 502
"""The code for a command the server does not offer (RFC 5321)."""

CODE_PARAMETER_NOT_IMPLEMENTED = 504
"""The code for a parameter that one side does not implement (RFC 5321; RFC 4954 for AUTH)."""

AUTH_MECHANISMS = ("CRAM-MD5", "PLAIN", "LOGIN")
"""The login mechanisms of the router, by their names in the registry of RFC 4954."""

DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}

SMTPReply = tuple[int, bytes]


class SMTPServer(Struct, frozen=True, kw_only=True):
    """An SMTP server and the login for it."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    verify: bool

    def __repr__(self) -> str:
        """Return the server without its login, so that no password reaches a log."""
        return f"Server({self.scheme}://{self.host}:{self.port})"


class SMTPRefused(Exception):  # noqa: N818 - a refusal is an answer, no fault
    """The server refuses `command`: `connect`, `auth`, `mail`, `rcpt` or `data`."""

    def __init__(self, command: str, reply: SMTPReply) -> None:
        super().__init__(command)
        self.command = command
        self.reply = reply


class SMTPCancelled(Exception):  # noqa: N818 - nothing went wrong, nobody waits any more
    """The caller has stopped waiting before the message was sent."""


class SMTPProgress:
    """The progress of one message, shared by the thread that sends and the task that waits.

    The lock makes `mark_sent` and `cancel` exclude each other: a message whose `cancel` returned
    False never goes out, and so the router may send it again without a duplicate.
    """

    def __init__(self, *, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._is_cancelled = False
        self.sent = False
        """Whether the message may have reached the server."""

    @property
    def seconds_left(self) -> float:
        """Seconds left, at least 0.1: a timeout of 0 would make the socket non-blocking."""
        return max(0.1, self._deadline - time.monotonic())

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._deadline

    def mark_sent(self) -> None:
        """Mark the message as sent; raises `SMTPCancelled` where the task no longer waits."""
        with self._lock:
            if self._is_cancelled:
                raise SMTPCancelled
            self.sent = True

    def cancel(self) -> bool:
        """Prevent the message from being sent; return True where it may be sent already."""
        with self._lock:
            self._is_cancelled = True
            return self.sent


def read_server(request: Request) -> SMTPServer:
    """Return the server that a request's URL names."""
    url = urlsplit(request.url)
    return SMTPServer(
        scheme=url.scheme,
        host=url.hostname or "",
        port=url.port or DEFAULT_PORTS.get(url.scheme, 25),
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        verify=request.verify,
    )


def connect(server: SMTPServer, context: ssl.SSLContext, *, seconds: float) -> smtplib.SMTP:
    """Return a connection, encrypted and logged in; raises `SMTPRefused` or an OS error."""
    connection = _open(server, context, seconds)
    try:
        _greet(connection)
        _secure(connection, server, context)
        _log_in(connection, server)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(server: SMTPServer, context: ssl.SSLContext, seconds: float) -> smtplib.SMTP:
    try:
        if server.scheme == "smtps":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context)
        return smtplib.SMTP(server.host, server.port, timeout=seconds)
    except smtplib.SMTPResponseException as error:
        raise SMTPRefused("connect", read_reply(error)) from None


def _greet(connection: smtplib.SMTP) -> None:
    """Send EHLO or HELO where the connection has not sent it yet."""
    try:
        connection.ehlo_or_helo_if_needed()
    except smtplib.SMTPResponseException as error:
        raise SMTPRefused("connect", read_reply(error)) from None


def _secure(connection: smtplib.SMTP, server: SMTPServer, context: ssl.SSLContext) -> None:
    if server.scheme != "smtp+starttls":
        return
    try:
        connection.starttls(context=context)
    except smtplib.SMTPNotSupportedError:
        raise SMTPRefused(
            "connect", (CODE_COMMAND_NOT_IMPLEMENTED, b"the server offers no STARTTLS")
        ) from None
    except smtplib.SMTPResponseException as error:
        raise SMTPRefused("connect", read_reply(error)) from None


def _log_in(connection: smtplib.SMTP, server: SMTPServer) -> None:
    if not server.user:
        return
    _greet(connection)
    try:
        mechanisms = _find_mechanisms(connection, server)
        if (server.user + server.password).isascii():
            connection.login(server.user, server.password)
            return
        reply = _log_in_as_utf8(connection, server, mechanisms)
    except smtplib.SMTPResponseException as error:
        raise SMTPRefused("auth", read_reply(error)) from None
    if reply[0] != CODE_AUTH_SUCCEEDED:
        raise SMTPRefused("auth", reply)


def _find_mechanisms(connection: smtplib.SMTP, server: SMTPServer) -> list[str]:
    """Return the login mechanisms that both sides have; raises `SMTPRefused` for none."""
    offered = connection.esmtp_features.get("auth", "").upper().split()
    if not offered:
        text = "the server offers no login"
        if server.scheme == "smtp" and connection.has_extn("starttls"):
            text += " before STARTTLS: write mailtos://"
        raise SMTPRefused("auth", (CODE_COMMAND_NOT_IMPLEMENTED, text.encode()))
    shared = [name for name in AUTH_MECHANISMS if name in offered]
    if not shared:
        text = f"the server offers {', '.join(offered)} to log in, and the router has none"
        raise SMTPRefused("auth", (CODE_PARAMETER_NOT_IMPLEMENTED, text.encode(errors="replace")))
    return shared


def _log_in_as_utf8(
    connection: smtplib.SMTP, server: SMTPServer, mechanisms: list[str]
) -> SMTPReply:
    """Log in with a name or a password beyond ASCII, which `smtplib` cannot write.

    Both are UTF-8 (RFC 4616, section 2).
    """
    user, password = server.user.encode(), server.password.encode()
    if "PLAIN" in mechanisms:
        identity = b64encode(b"\0" + user + b"\0" + password).decode()
        return connection.docmd("AUTH", f"PLAIN {identity}")
    if "LOGIN" in mechanisms:
        code, text = connection.docmd("AUTH", f"LOGIN {b64encode(user).decode()}")
        return (
            connection.docmd(b64encode(password).decode())
            if code == CODE_AUTH_CONTINUE
            else (code, text)
        )
    text = b"only PLAIN and LOGIN take a name or a password beyond ASCII"
    raise SMTPRefused("auth", (CODE_PARAMETER_NOT_IMPLEMENTED, text))


def send_message(connection: smtplib.SMTP, request: Request, progress: SMTPProgress) -> SMTPReply:
    """Send a message and return the server's last reply; raises `SMTPRefused`.

    The first recipient decides: the server may refuse the others.
    """
    if connection.sock is not None:
        connection.sock.settimeout(progress.seconds_left)
    sender, recipients = request.headers["from"], request.headers["to"].split(", ")
    _greet(connection)
    _require_success(
        "mail", connection.mail(sender, _choose_mail_options(connection, sender, *recipients))
    )
    _require_success("rcpt", connection.rcpt(recipients[0]))
    for recipient in recipients[1:]:
        connection.rcpt(recipient)
    # Before DATA, not after: once the body is out, the server may have accepted the message even
    # where its reply never arrives.
    progress.mark_sent()
    try:
        reply = connection.data(request.body)
    except smtplib.SMTPDataError as error:
        raise SMTPRefused("data", read_reply(error)) from None
    _require_success("data", reply)
    return reply


def _choose_mail_options(connection: smtplib.SMTP, *addresses: str) -> list[str]:
    """Return the options that MAIL needs for the addresses; raises `SMTPRefused`."""
    if all(address.isascii() for address in addresses):
        return []
    if not connection.has_extn("smtputf8"):
        text = b"5.6.7 the server takes no address beyond ASCII"
        raise SMTPRefused(
            "mail" if not addresses[0].isascii() else "rcpt", (CODE_ADDRESS_NOT_ALLOWED, text)
        )
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _require_success(command: str, reply: SMTPReply) -> None:
    if not 200 <= reply[0] < 300:  # noqa: PLR2004 - the protocol's own numbers
        raise SMTPRefused(command, reply)


def read_reply(error: smtplib.SMTPResponseException) -> SMTPReply:
    """Return the reply that an exception of smtplib carries."""
    text = error.smtp_error
    return error.smtp_code, text.encode() if isinstance(text, str) else text
