"""Deliver as a text message, through any SMS provider that Apprise supports.

Meanings of the providers' answers: `_service_answers/sms.py`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from router import (
    AddressError,
    Delivered,
    Limits,
    Message,
    Outcome,
    Rejected,
    Secret,
    Settings,
)
from router.bridge import (
    AppriseChannel,
    Exchange,
    Transport,
    check_url,
)
from router.plugins._addresses.phone_number import (
    check_fixed_number,
    find_country,
    format_for_provider,
    normalize_number,
    write_stand_in,
)
from router.plugins._service_answers import PAID_ANSWERS
from router.plugins.sms.segments import fit_segments, split_text

SCHEME_ALIASES = {
    "nexmo": "vonage",
    "elks": "46elks",
    "kudosity": "burstsms",
    "klr": "kaleyra",
    "mobilemsg": "mobilemessage",
    "smseagles": "smseagle",
    "smsmanager": "smsmgr",
}
"""Apprise's second names of schemes."""

SCHEMES = (
    {"46elks", "atalk", "bulksms", "bulkvs", "burstsms", "clickatell", "clicksend", "cm", "d7sms"}
    | {"eight00com", "exotel", "httpsms", "infobip", "kaleyra", "kavenegar", "mobilemessage"}
    | {"msg91", "msgbird", "notifyre", "octopush", "ringc", "serwersms", "seven", "sfr", "sinch"}
    | {"smsc", "smseagle", "smsmgr", "smstunnel", "sns", "telesign", "telnyx", "twilio", "voipms"}
    | {"vonage", *SCHEME_ALIASES}
)
"""The providers in Apprise 2.2 that send text messages."""

MAX_PARTIAL_SENDS = 1000
"""Deliveries remembered with the number of their sent parts, so that no part goes out twice."""

SAMPLE_NUMBER = "+12125550123"
"""A number that every provider accepts."""


class SmsSettings(Settings, frozen=True):
    """Settings of `plugin: sms`."""

    url: Annotated[
        Secret,
        Meta(
            description="Apprise URL of the provider, as twilio://SID:TOKEN@+15005550006/{to}, "
            "or with ?to={to} where the number would stand first."
        ),
    ]
    segments: Annotated[
        int,
        Meta(description="At most so many segments in a text; phones join them.", ge=1, le=10),
    ] = 3
    countries: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Z]{2}$")], ...],
        Meta(
            description="The only countries that numbers may be in, as [US, GB] (ISO 3166); "
            "empty: all. A number elsewhere is refused, and nothing is sent.",
        ),
    ] = ()
    overflow: Annotated[
        Literal["cut", "split"],
        Meta(description="What does not fit is cut off, or sent in further texts, ten at most."),
    ] = "cut"

    fixed: Annotated[
        bool,
        Meta(description="Send to the one address in the url, whoever a message is for."),
    ] = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for a URL that sends no text messages."""
        scheme = read_scheme(self.url)
        if scheme == "plivo":
            raise ValueError(
                "url: Apprise 2.2 posts to a wrong address of Plivo, use another provider"
            )
        if scheme not in SCHEMES:
            raise ValueError(
                f"url: {scheme or 'this'} sends no text messages, write `plugin: apprise`"
            )
        check_url(
            self.url.reveal(),
            sample=SAMPLE_NUMBER,
            fixed=self.fixed,
            is_personal=True,
            check_target=partial(check_fixed_number, scheme),
        )


class Sms(AppriseChannel[SmsSettings]):
    """One text to one phone."""

    name = "sms"
    Settings = SmsSettings
    services = PAID_ANSWERS
    limits = Limits()
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": f"twilio://AC{'0' * 32}:{'0' * 32}@+15005550006/{{to}}"
    }

    def __init__(self, settings: SmsSettings, transport: Transport) -> None:
        """Open the channel."""
        super().__init__(settings, transport)
        self._provider = SCHEME_ALIASES.get(read_scheme(settings.url), read_scheme(settings.url))
        self._sent_parts: dict[str, int] = {}

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: SmsSettings | None,  # noqa: ARG003 - the contract's signature
        country: str = "",
        is_fixed: bool = False,
    ) -> str:
        """Return a phone number in E.164; an operator's own (`is_fixed`) may be a short code."""
        return normalize_number(address, country, is_fixed=is_fixed)

    async def send(self, message: Message) -> Outcome:
        """Try once to send the text; a retry continues after the parts that went out."""
        address = message.address
        if self.needs_contact(self.settings):
            try:
                phone = normalize_number(address, is_fixed=True)
            except AddressError as error:
                return Rejected(reason=f"the address {error}")
            if fault := self._find_country_fault(phone):
                return Rejected(reason=fault)
            address = format_for_provider(self._provider, phone)
        parts = self._split_message(message)
        outcome: Outcome = Rejected(reason="the message is empty")
        for number in range(self._sent_parts.pop(message.delivery, 0), len(parts)):
            part = replace(message, address=address, title="", body=parts[number])
            outcome = await super().send(part)
            if not isinstance(outcome, Delivered):
                self._remember_sent_parts(message.delivery, number)
                break
        return outcome

    def write_address(self, address: str) -> str:
        """Return the text that Apprise reads for a number."""
        return write_stand_in(address)

    def _find_country_fault(self, address: str) -> str:
        """Return why `countries` excludes a number, else an empty text."""
        allowed = self.settings.countries
        if not allowed or not address.startswith("+"):
            return ""
        country = find_country(address)
        if country in allowed:
            return ""
        return f"the number is in {country or 'no known country'}, not in `countries`"

    def _split_message(self, message: Message) -> list[str]:
        untitled = message.kind == "digest" or not message.title
        text = message.body if untitled else f"{message.title}\n{message.body}".rstrip()
        if self.settings.overflow == "split":
            return split_text(text, self.settings.segments)
        return [fit_segments(text, self.settings.segments)]

    def _remember_sent_parts(self, delivery: str, parts: int) -> None:
        if parts:
            self._sent_parts[delivery] = parts
        while len(self._sent_parts) > MAX_PARTIAL_SENDS:
            del self._sent_parts[next(iter(self._sent_parts))]

    def read_handle(self, exchange: Exchange) -> str:
        """Return the provider's id for the text."""
        paths = (("sid",), ("messages", 0, "message-id"), ("messages", 0, "messageId"), ("id",))
        ids = (exchange.json_value(*path) for path in paths)
        return next((text for text in ids if isinstance(text, str)), "")


def read_scheme(url: Secret) -> str:
    """Return the scheme of a URL in lower case."""
    return url.reveal().partition("://")[0].lower()
