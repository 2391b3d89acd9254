"""Deliver as a text message through any SMS provider that Apprise knows.

Answers: https://www.twilio.com/docs/api/errors, https://developer.vonage.com/en/api-errors/sms,
https://developers.clicksend.com/docs, https://docs.seven.io/en/rest-api/return-codes,
https://www.infobip.com/docs/developer-resources/errors-and-responses/response-codes
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from router import (
    AddressError,
    Delivered,
    Limits,
    Message,
    Outcome,
    Register,
    Rejected,
    Secret,
    Settings,
    hookimpl,
)
from router.bridge import (
    AppriseChannel,
    Hop,
    Reading,
    Request,
    Response,
    Transport,
    check_url,
)
from router.plugins._phone_number import normalize_number
from router.plugins._segments import divide, fit

VENDORS = {
    "nexmo": "vonage",
    "elks": "46elks",
    "kudosity": "burstsms",
    "klr": "kaleyra",
    "mobilemsg": "mobilemessage",
    "smseagles": "smseagle",
    "smsmanager": "smsmgr",
}
"""Apprise's second names."""

SCHEMES = (
    {"46elks", "atalk", "bulksms", "bulkvs", "burstsms", "clickatell", "clicksend", "cm", "d7sms"}
    | {"eight00com", "exotel", "httpsms", "infobip", "kaleyra", "kavenegar", "mobilemessage"}
    | {"msg91", "msgbird", "notifyre", "octopush", "ringc", "serwersms", "seven", "sfr", "sinch"}
    | {"smsc", "smseagle", "smsmgr", "smstunnel", "sns", "telesign", "telnyx", "twilio", "voipms"}
    | {"vonage", *VENDORS}
)
"""The providers in Apprise 2.2 that send text messages."""

REMEMBERED = 1000
"""Texts half sent whose parts are not sent twice."""

NATIONAL = frozenset({"voipms"})
"""Providers that Apprise gives North American numbers without the country code."""

NORTH_AMERICA = "+1"

SAMPLE = "+12125550123"
"""A number that every provider would take."""

ANSWERS: Mapping[int | str, Reading] = {
    402: "suspend",
    "twilio 20003": "suspend",
    "twilio 20005": "suspend",
    "twilio 20404": "suspend",
    "twilio 20429": "retry",
    "twilio 14107": "retry",
    "twilio 21211": "gone",
    "twilio 21217": "gone",
    "twilio 21614": "gone",
    "twilio 21212": "suspend",
    "twilio 21606": "suspend",
    "twilio 21659": "suspend",
    "twilio 21660": "suspend",
    "twilio 404": "suspend",
    "vonage 1": "retry",
    "vonage 4": "suspend",
    "vonage 5": "retry",
    "vonage 8": "suspend",
    "vonage 9": "suspend",
    "vonage 10": "retry",
    "vonage 11": "suspend",
    "vonage 14": "suspend",
    "vonage 15": "suspend",
    "clicksend MISSING_CREDENTIALS": "suspend",
    "clicksend INVALID_CREDENTIALS": "suspend",
    "clicksend ACCOUNT_NOT_ACTIVATED": "suspend",
    "clicksend INSUFFICIENT_CREDIT": "suspend",
    "clicksend INVALID_SENDER_ID": "suspend",
    "clicksend THROTTLED": "retry",
    "clicksend INTERNAL_ERROR": "retry",
    "seven 403": "suspend",
    "seven 500": "suspend",
    "seven 600": "retry",
    "seven 700": "retry",
    "seven 900": "suspend",
    "seven 902": "suspend",
    "seven 903": "suspend",
    "infobip REJECTED_NOT_ENOUGH_CREDITS": "suspend",
    "infobip REJECTED_SENDER": "suspend",
    "infobip REJECTED_SYSTEM_ERROR": "retry",
}
"""What providers mean, where HTTP does not say it; every other code is `rejected`."""


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
    overflow: Annotated[
        Literal["cut", "split"],
        Meta(description="What does not fit is cut off, or sent in further texts, ten at most."),
    ] = "cut"

    def __post_init__(self) -> None:
        """Refuse what sends no text messages."""
        scheme = read_scheme(self.url)
        if scheme == "plivo":
            raise ValueError(
                "url: Apprise 2.2 posts to a wrong address of Plivo, use another provider"
            )
        if scheme not in SCHEMES:
            raise ValueError(
                f"url: {scheme or 'this'} sends no text messages, write `plugin: apprise`"
            )
        check_url(self.url.reveal(), sample=SAMPLE)


class Sms(AppriseChannel[SmsSettings]):
    """One text to one phone."""

    name = "sms"
    Settings = SmsSettings
    answers = ANSWERS
    limits = Limits()
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": f"twilio://AC{'0' * 32}:{'0' * 32}@+15005550006/{{to}}"
    }

    def __init__(self, settings: SmsSettings, transport: Transport) -> None:
        """Open the channel with nothing half sent."""
        super().__init__(settings, transport)
        self._vendor = VENDORS.get(read_scheme(settings.url), read_scheme(settings.url))
        self._sent: dict[str, int] = {}

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: SmsSettings | None,  # noqa: ARG003 - the contract's signature
        country: str = "",
        is_fixed: bool = False,
    ) -> str:
        """Return a phone number in E.164; for the operator a short code is one, too."""
        return normalize_number(address, country, is_fixed=is_fixed)

    async def send(self, message: Message) -> Outcome:
        """Try once to send the text; a further try goes on after the parts that went out."""
        address = message.address
        if self.needs_contact(self.settings):
            try:
                address = normalize_number(address, is_fixed=True)
            except AddressError as error:
                return Rejected(reason=f"the address {error}")
            if self._vendor in NATIONAL:
                address = address.removeprefix(NORTH_AMERICA)
        parts = self._divide(message)
        outcome: Outcome = Rejected(reason="there is nothing to send")
        for number in range(self._sent.pop(message.delivery, 0), len(parts)):
            part = replace(message, address=address, title="", body=parts[number])
            outcome = await super().send(part)
            if not isinstance(outcome, Delivered):
                self._remember(message.delivery, number)
                break
        return outcome

    def _divide(self, message: Message) -> list[str]:
        untitled = message.kind == "digest" or not message.title
        text = message.body if untitled else f"{message.title}\n{message.body}".rstrip()
        if self.settings.overflow == "split":
            return divide(text, self.settings.segments)
        return [fit(text, self.settings.segments)]

    def _remember(self, delivery: str, parts: int) -> None:
        if parts:
            self._sent[delivery] = parts
        while len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def error_code(self, hop: Hop) -> str:
        """Return the provider and its error code."""
        vendor = self._vendor
        code = READERS[vendor](hop) if vendor in READERS else None
        return "" if code is None else f"{vendor} {code}"

    def handle(self, hop: Hop) -> str:
        """Return the provider's id for the text."""
        paths = (("sid",), ("messages", 0, "message-id"), ("messages", 0, "messageId"), ("id",))
        found = (hop.field(*path) for path in paths)
        return next((text for text in found if isinstance(text, str)), "")

    def sandbox(self, request: Request) -> Response:
        """Answer as the provider does to a text it took."""
        host = request.url.split("/", 3)[2]
        return TAKEN.get(host) or Response(
            status=200, body=b'{"success": true, "status": "success"}'
        )


TAKEN = {
    "api.twilio.com": Response(status=201, body=b'{"sid": "SM0", "status": "queued"}'),
    "rest.nexmo.com": Response(
        status=200, body=b'{"messages": [{"status": "0", "message-id": "sandbox"}]}'
    ),
    "rest.clicksend.com": Response(
        status=200, body=b'{"data": {"messages": [{"status": "SUCCESS"}]}}'
    ),
    "gateway.seven.io": Response(status=200, body=b'{"success": "100"}'),
    "api.octopush.com": Response(status=201),
}
"""What providers answer to a text they took, where a plain 200 would not do."""


def read_scheme(url: Secret) -> str:
    """Return what stands before `://`, in lower case."""
    return url.reveal().partition("://")[0].lower()


def _read_twilio(hop: Hop) -> object:
    if hop.status in {200, 201}:
        return None
    return hop.field("code") or (404 if hop.status == 404 else None)  # noqa: PLR2004 - HTTP's own number


def _read_vonage(hop: Hop) -> object:
    status = hop.field("messages", 0, "status")
    return None if status in {None, "0"} else status


def _read_clicksend(hop: Hop) -> object:
    status = hop.field("data", "messages", 0, "status") or hop.field("response_code")
    return None if status in {None, "SUCCESS"} else status


def _read_seven(hop: Hop) -> object:
    code = hop.field("success")
    return None if code in {None, "100", 100} else code


def _read_infobip(hop: Hop) -> object:
    status = hop.field("messages", 0, "status", "groupName")
    failed = status in {"REJECTED", "UNDELIVERABLE", "EXPIRED"}
    return hop.field("messages", 0, "status", "name") if failed else None


READERS: Mapping[str, Callable[[Hop], object]] = {
    "twilio": _read_twilio,
    "vonage": _read_vonage,
    "clicksend": _read_clicksend,
    "seven": _read_seven,
    "infobip": _read_infobip,
}
"""Where a provider's answer holds its error code; several say 200 and fail."""


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Sms)
