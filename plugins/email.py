"""Deliver by e-mail: over SMTP, or through any mailer that Apprise supports.

Threads: https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4
Meanings of mailers' answers: `_service_answers/mail.py`.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from html import escape
from typing import Annotated, Any, ClassVar

from apprise.plugins.email import NotifyEmail
from msgspec import Meta
from msgspec.structs import replace

from router import AddressError, Message, Outcome, Register, Rejected, Secret, Settings, hookimpl
from router.bridge import (
    AppriseChannel,
    Build,
    Exchange,
    Request,
    Response,
    Transport,
    check_url,
    parse_url,
    truncate,
)
from router.plugins._addresses.email_address import (
    STAND_IN_ADDRESS,
    Utf8Mailbox,
    is_ascii_local,
    normalize_mailbox,
)
from router.plugins._service_answers import PAID_ANSWERS

SMTP_SCHEMES = frozenset({"mailto", "mailtos"})
MAILER_SCHEMES = {
    "azure",
    "brevo",
    "mailersend",
    "mailgun",
    "o365",
    "postmark",
    "resend",
    "sendgrid",
} | {
    "sendpulse",
    "ses",
    "smtp2go",
    "sparkpost",
}
"""The mailers in Apprise 2.2, by the scheme of their URLs."""

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)
MAX_BODY_LENGTH = 20_000
"""Characters of a body; truncation comes before the HTML, since it would break tags after it."""

SAMPLE_ADDRESS = "someone@example.com"
UNLINKED_SCHEMES = frozenset({"data", "file", "javascript", "vbscript"})


class EmailSettings(Settings, frozen=True):
    """Settings of `plugin: email`."""

    url: Annotated[
        Secret,
        Meta(description="SMTP server, as mailtos://user:password@example.com/{to}, or a mailer."),
    ]
    from_name: Annotated[str, Meta(description="The name beside the sender's address.")] = ""
    html: Annotated[bool, Meta(description="Send HTML beside the plain text.")] = True

    fixed: Annotated[
        bool,
        Meta(description="Send to the one address in the url, whoever a message is for."),
    ] = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for a URL that sends no mail, and for a wrong `from_name`."""
        scheme = read_scheme(self.url)
        if scheme not in SMTP_SCHEMES | MAILER_SCHEMES:
            raise ValueError(f"url: {scheme or 'this'} sends no e-mail, write `plugin: apprise`")
        check_url(self.url.reveal(), sample=SAMPLE_ADDRESS, fixed=self.fixed, is_personal=True)
        if self.from_name and scheme not in SMTP_SCHEMES:
            raise ValueError("from_name: goes with mailto(s):// alone; write it into the url")
        if "\n" in self.from_name or "\r" in self.from_name:
            raise ValueError("from_name: must be one line")


class MailMessage(NotifyEmail):
    """One mail to one person, in the thread of its conversation."""

    def __init__(self, *, to: str, from_name: str, thread: str, **options: Any) -> None:  # noqa: ANN401 - Apprise's options
        """Set the recipient, the sender and the headers of the thread."""
        super().__init__(**options)
        if to:
            self.targets = [(False, to)]
        address = str(self.from_addr[1])
        if from_name:
            self.from_addr = [from_name, address]
        self.headers["Auto-Submitted"] = "auto-generated"
        if thread:
            root = f"<{thread}@{address.rpartition('@')[2]}>"
            self.headers |= {"In-Reply-To": root, "References": root}

    def send(self, *args: Any, **options: Any) -> bool:  # noqa: ANN401 - Apprise's signature
        """Send the mail, to addresses with letters beyond ASCII too."""
        self.targets = [
            (name, address if address.isascii() else Utf8Mailbox(address))
            for name, address in self.targets
        ]
        return bool(super().send(*args, **options))


class MailServer:
    """The settings that Apprise reads from the URL of a mail server, with its password."""

    def __init__(self, url: Secret) -> None:
        """Read the URL once: reading it for each mail would be most of the work."""
        self._options = parse_url(url.reveal())[1]

    def build(self, address: str, *, from_name: str, thread: str) -> Build:
        """Return Apprise's class for SMTP; without an address, the URL's own recipient stays."""
        return MailMessage, self._options | {
            "to": address,
            "from_name": from_name,
            "thread": thread,
        }


class Email(AppriseChannel[EmailSettings]):
    """One mail to one person."""

    name = "email"
    Settings = EmailSettings
    services = PAID_ANSWERS
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "mailtos://router:sandbox@mail.example/{to}"
    }

    def __init__(self, settings: EmailSettings, transport: Transport) -> None:
        """Read the server's URL once."""
        super().__init__(settings, transport)
        self._scheme = read_scheme(settings.url)
        self.body_format = "html" if settings.html else "text"
        self._server = MailServer(settings.url) if self._scheme in SMTP_SCHEMES else None

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: EmailSettings | None,  # noqa: ARG003 - the contract's signature
        country: str = "",  # noqa: ARG003 - the same
        is_fixed: bool = False,  # noqa: ARG003 - the same
    ) -> str:
        """Return a bare e-mail address with its domain in ASCII."""
        return normalize_mailbox(address)

    async def send(self, message: Message) -> Outcome:
        """Try once to send the mail."""
        if not self.needs_contact(self.settings):
            return await super().send(message)
        try:
            address = normalize_mailbox(message.address)
        except AddressError as error:
            return Rejected(reason=f"the address {error}")
        if self._server is None and not is_ascii_local(address):
            reason = "the mailer supports only ASCII before the @; use mailto(s)://"
            return Rejected(reason=reason)
        return await super().send(replace(message, address=address))

    def write_address(self, address: str) -> str:
        """Return a stand-in for any address: `send` has checked it, and Apprise's check errs."""
        return STAND_IN_ADDRESS if address else ""

    def choose_plugin(self, message: Message) -> Build | None:
        """Return Apprise's class for SMTP, None for a mailer, which Apprise makes from its URL."""
        if self._server is None:
            return None
        address = message.address if self.needs_contact(self.settings) else ""
        return self._server.build(
            STAND_IN_ADDRESS if address else "",
            from_name=self.settings.from_name,
            thread=thread_id(message),
        )

    def format_message(self, message: Message) -> tuple[str, str]:
        """Return the subject in one line, and the body in the channel's format."""
        subject = " ".join(message.title.split())
        return subject, write_html(message) if self.settings.html else write_text(message)

    def read_handle(self, exchange: Exchange) -> str:
        """Return the mail's Message-ID, or the mailer's id."""
        if exchange.request.method == "SMTP":
            match = MESSAGE_ID.search(exchange.request.body)
            return match[1].decode() if match else ""
        paths = (("id",), ("MessageID",), ("messageId",), ("data", "email_id"))
        texts = (exchange.json_value(*path) for path in paths)
        return next((text for text in texts if isinstance(text, str)), "")

    def sandbox(self, request: Request) -> Response:
        """Return the answer of a mail server or a mailer to a sent mail."""
        if request.method == "SMTP":
            return Response(status=250, headers={"smtp-command": "data"}, body=b"2.0.0 queued")
        return super().sandbox(request)


def read_scheme(url: Secret) -> str:
    """Return the scheme of a URL in lower case."""
    return url.reveal().partition("://")[0].lower()


def thread_id(message: Message) -> str:
    """Return an id that the mails of a conversation share and that does not reveal it."""
    notification = message.notification
    if not notification.conversation:
        return ""
    return blake2b(
        f"{notification.app_id}\0{notification.conversation}".encode(), digest_size=12
    ).hexdigest()


def write_text(message: Message) -> str:
    """Return the body as plain text."""
    return "\n\n".join(filter(None, (message.body or message.title, message.link)))


def write_html(message: Message) -> str:
    """Return the body as HTML, with the message's own text escaped."""
    body = escape(truncate(message.body or message.title, MAX_BODY_LENGTH))
    parts = [f"<div>{body.replace(chr(10), '<br/>')}</div>"]
    if message.image:
        parts.append(f'<p><img src="{escape(message.image)}" alt=""/></p>')
    if message.link:
        link = escape(message.link)
        is_linked = message.link.partition(":")[0].strip().lower() not in UNLINKED_SCHEMES
        parts.append(f'<p><a href="{link}">{link}</a></p>' if is_linked else f"<p>{link}</p>")
    return "".join(parts)


@hookimpl
def register_channels(register: Register) -> None:
    """Register the channel."""
    register(Email)
