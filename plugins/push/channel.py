"""Deliver to the apps on a recipient's devices.

The provider is picked by the device's platform, in CometChat's spelling (`fcm_android`,
`apns_ios_device`, …): https://www.cometchat.com/docs/notifications/push-integration
A destination fixed in the rules is told by its form: Apple's tokens are hexadecimal. A browser
(`web`) is reached by its push subscription, in JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from router import (
    AddressError,
    Limits,
    Message,
    Notification,
    Outcome,
    Rejected,
    Settings,
    Suspend,
)
from router.bridge import (
    AppriseChannel,
    Build,
    Exchange,
    Request,
    Response,
    Transport,
)
from router.plugins.push import apns, webpush
from router.plugins.push.apns import Apns, ApnsSettings
from router.plugins.push.data_payload import drop_expendable
from router.plugins.push.es256_jwt import make_placeholder as make_key
from router.plugins.push.fcm import (
    RESPONSE_CODES,
    Fcm,
    FcmSettings,
    is_about_ornament,
    is_message_request,
    is_token,
    is_too_large,
    read_error_code,
    sandbox_response,
)
from router.plugins.push.fcm_access_token import make_placeholder
from router.plugins.push.fcm_message import MAX_DATA_BYTES
from router.plugins.push.webpush import WebPush, WebPushSettings

DEFAULT_PROVIDER_ID = "default"
"""The `providerId` of a device that named none, as CometChat's SDKs have it."""
NO_TOKEN = "name a device; topics and conditions are not sent to"  # noqa: S105 - words


class PushSettings(Settings, frozen=True):
    """Settings of `plugin: push`; at least one provider."""

    fcm: Annotated[
        FcmSettings | None, Meta(description="Firebase Cloud Messaging: Android, web, iOS.")
    ] = None
    apns: Annotated[
        ApnsSettings | None, Meta(description="Apple's push service: iOS, calls that ring.")
    ] = None
    webpush: Annotated[
        WebPushSettings | None, Meta(description="Web Push: browsers, with nobody in between.")
    ] = None
    concurrency: Annotated[
        int,
        Meta(
            description="At most so many sends at the same time; a message to a group is a "
            "thousand at once.",
            ge=1,
            le=1000,
        ),
    ] = 128
    provider_id: Annotated[
        str,
        Meta(
            description="Send to devices alone that were registered with this `providerId`; one "
            "that named none has `default`. Left out, to all.",
            max_length=200,
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a channel without a provider."""
        if self.fcm is None and self.apns is None and self.webpush is None:
            raise ValueError(
                "names no provider; write `fcm: {service_account: …}`, `apns: {key: …}` or "
                "`webpush: {private_key: …}`"
            )


class Push(AppriseChannel[PushSettings]):
    """One message to one device."""

    name = "push"
    Settings = PushSettings
    limits = Limits(payload=MAX_DATA_BYTES)
    replaces = True  # the app gets the payload's keys, and shows an edit in its message's place
    response_codes = RESPONSE_CODES
    platforms = ("fcm", "apns", "web")
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "fcm.service_account": make_placeholder,
        "apns.key": make_key,
        "webpush.private_key": make_key,
        "webpush.subject": "mailto:push@example.com",
    }

    def __init__(self, settings: PushSettings, transport: Transport) -> None:
        """Load the providers' credentials."""
        super().__init__(settings, transport)
        self._fcm = None if settings.fcm is None else Fcm(settings.fcm)
        self._apns = None if settings.apns is None else Apns(settings.apns)
        self._webpush = None if settings.webpush is None else WebPush(settings.webpush)

    @classmethod
    def needs_contact(cls, settings: PushSettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return True: a device, or a token fixed in the rules."""
        return True

    def host(self, address: str) -> str:
        """Return the push service of a browser's subscription; other addresses lead to one host."""
        return webpush.find_service(address)

    @classmethod
    def wants(
        cls, settings: PushSettings, notification: Notification, platform: str, provider_id: str
    ) -> bool:
        """Return whether a device is one of this channel's, and is to hear of this."""
        if settings.provider_id and settings.provider_id != (provider_id or DEFAULT_PROVIDER_ID):
            return False
        if settings.apns is None or not platform.lower().startswith("apns_"):
            return True
        return apns.wants(settings.apns, notification, platform)

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: PushSettings | None,  # noqa: ARG003 - the contract's signature
        country: str = "",  # noqa: ARG003 - the same
        is_fixed: bool = False,
    ) -> str:
        """Return a token or a subscription as it is; of a device its provider says what it is."""
        is_browser = webpush.is_subscription(address)
        fault = webpush.find_fault(address) if is_browser else "" if is_token(address) else NO_TOKEN
        if is_fixed and fault:
            raise AddressError(fault)
        return address

    @classmethod
    def find_device_fault(cls, platform: str, address: str) -> str:
        """Return why an address is no token of a device's provider."""
        if webpush.is_subscription(address):
            return ""
        match _family(platform):
            case "apns" if not apns.may_be_token(address):
                return "is no device token of Apple's, which is hexadecimal digits"
            case "fcm" if not is_token(address):
                return f"is no registration token of Firebase's: {NO_TOKEN}"
            case _:
                return ""

    async def send(self, message: Message) -> Outcome:
        """Try once to reach the device."""
        platform = _find_platform(message)
        seconds, now = self.settings.timeout, self.clock()
        match _family(platform):
            case "fcm" if self._fcm is not None:
                return await self._send_fcm(message, self._fcm)
            case "apns" if self._apns is not None:
                return await self._apns.send(message, self.transport, seconds=seconds, now=now)
            case "web" if self._webpush is not None:
                return await self._webpush.send(message, self.transport, seconds=seconds, now=now)
            case _:
                return Rejected(reason=f"no provider is configured for devices of {platform}")

    async def check(self) -> Outcome | None:
        """Fetch an access token, as every send needs one."""
        if self._fcm is None:
            return None
        seconds, now = self.settings.timeout, self.clock()
        return await self._fcm.access.fetch(self.transport, seconds=seconds, now=now)

    async def _send_fcm(self, message: Message, fcm: Fcm) -> Outcome:
        if not is_token(message.address):
            return Rejected(reason=f"the address is no token: {NO_TOKEN}")
        refused = await self._renew(fcm)
        if refused is not None:
            return refused
        outcome = await super().send(message)
        if not isinstance(outcome, Suspend) or outcome.status != HTTPStatus.UNAUTHORIZED:
            return outcome
        # Google may end an access token before its time; its own libraries get a new one and ask
        # once more (https://github.com/googleapis/google-auth-library-python/blob/main/google/auth/transport/requests.py).
        refused = await self._renew(fcm)
        return refused or await super().send(message)

    async def _renew(self, fcm: Fcm) -> Outcome | None:
        """Return None with an access token at hand, else why there is none."""
        seconds, now = self.settings.timeout, self.clock()
        return await fcm.access.renew(self.transport, seconds=seconds, now=now)

    def choose_plugin(self, message: Message) -> Build | None:
        """Return Apprise's class for the device's provider, holding the message."""
        return None if self._fcm is None else self._fcm.build(message, self.clock())

    def format_message(self, message: Message) -> tuple[str, str]:
        """Return a body that Apprise lets pass; `choose_plugin` holds the real one."""
        return "", message.body or message.title or message.kind

    def carries_message(self, request: Request) -> bool:
        """Return False for the fetching of an access token."""
        return any(
            carries(request)
            for carries in (apns.is_push_request, webpush.is_push_request, is_message_request)
        )

    def error_code(self, exchange: Exchange) -> str:
        """Return the provider's error code."""
        return read_error_code(exchange)

    def simplify_message(self, message: Message, exchange: Exchange) -> Message | None:
        """Return a lighter message where FCM found this one too large, or one less its ornaments.

        The ornaments are the image and the link, where FCM blames one of them.
        """
        if is_too_large(exchange):
            return drop_expendable(message)
        if is_about_ornament(exchange) and (message.image or message.link):
            return replace(message, image="", link="")
        return None

    def read_handle(self, exchange: Exchange) -> str:
        """Return the message's name at the provider."""
        name = exchange.json_value("name")
        return name if isinstance(name, str) else ""

    def classify(self, exchanges: Sequence[Exchange]) -> Outcome | None:
        """Let the next send fetch a new access token where this one was refused."""
        if self._fcm is not None and exchanges:
            self._fcm.drop_refused_token(exchanges[-1])
        return None

    def sandbox(self, request: Request) -> Response:
        """Answer as the provider does."""
        if webpush.is_push_request(request):
            return webpush.sandbox_response(request)
        return (
            apns.sandbox_response(request)
            if apns.is_push_request(request)
            else sandbox_response(request)
        )


def _find_platform(message: Message) -> str:
    """Return the platform of a device; a destination of the rules, and a subscription, tell it."""
    if webpush.is_subscription(message.address):
        return "web"
    if message.device is not None:
        return message.device.platform
    return "apns" if apns.is_token(message.address) else "fcm"


def _family(platform: str) -> str:
    """Return the provider that a platform's name begins with."""
    return platform.lower().partition("_")[0]
