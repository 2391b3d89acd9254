"""Deliver to the apps on a recipient's devices, and to browsers.

The device's platform, in CometChat's spelling (`fcm_android`, `apns_ios_device`, …), selects the
provider: https://www.cometchat.com/docs/notifications/push-integration
A destination fixed in the rules has no platform, and its form selects the provider: Apple's tokens
are hexadecimal. The address of a browser (`web`) is its push subscription in JSON.
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
from router.plugins.push.data_payload import drop_optional_data
from router.plugins.push.es256_jwt import make_placeholder_key
from router.plugins.push.fcm import (
    RESPONSE_CODES,
    Fcm,
    FcmSettings,
    is_image_or_link_refused,
    is_message_request,
    is_token,
    is_too_large,
    read_error_code,
    sandbox_response,
)
from router.plugins.push.fcm_access_token import make_placeholder_account
from router.plugins.push.fcm_message import MAX_DATA_BYTES
from router.plugins.push.webpush import WebPush, WebPushSettings

DEFAULT_PROVIDER_ID = "default"
"""The `providerId` of a device that was registered without one, as in CometChat's SDKs."""
NAME_A_DEVICE = "name a device; topics and conditions are not supported"


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
        """Raise `ValueError` for a channel without a provider."""
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
        "fcm.service_account": make_placeholder_account,
        "apns.key": make_placeholder_key,
        "webpush.private_key": make_placeholder_key,
        "webpush.subject": "mailto:push@example.com",
    }

    def __init__(self, settings: PushSettings, transport: Transport) -> None:
        """Load the credentials of the configured providers."""
        super().__init__(settings, transport)
        self._fcm = None if settings.fcm is None else Fcm(settings.fcm)
        self._apns = None if settings.apns is None else Apns(settings.apns)
        self._webpush = None if settings.webpush is None else WebPush(settings.webpush)

    @classmethod
    def needs_contact(cls, settings: PushSettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return True: each message goes to a device or to a token in the rules."""
        return True

    def host(self, address: str) -> str:
        """Return the host of a browser's push service, empty for FCM and APNs."""
        return webpush.find_push_service(address)

    @classmethod
    def wants(
        cls, settings: PushSettings, notification: Notification, platform: str, provider_id: str
    ) -> bool:
        """Return whether a device belongs to this channel and gets this notification."""
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
        """Return the address; raises `AddressError` for a fixed one that names no device."""
        if not is_fixed:
            return address
        if webpush.is_subscription(address):
            fault = webpush.find_fault(address)
        else:
            fault = "" if is_token(address) else NAME_A_DEVICE
        if fault:
            raise AddressError(fault)
        return address

    @classmethod
    def find_device_fault(cls, platform: str, address: str) -> str:
        """Return why an address is no token of the device's provider, empty where it can be one."""
        if webpush.is_subscription(address):
            return ""
        match _find_provider(platform):
            case "apns" if not apns.may_be_token(address):
                return "is not a device token of Apple, which is hexadecimal digits"
            case "fcm" if not is_token(address):
                return f"is not a registration token of Firebase: {NAME_A_DEVICE}"
            case _:
                return ""

    async def send(self, message: Message) -> Outcome:
        """Try once to reach the device."""
        platform = _find_platform(message)
        seconds, now = self.settings.timeout, self.clock()
        match _find_provider(platform):
            case "fcm" if self._fcm is not None:
                return await self._send_fcm(message, self._fcm)
            case "apns" if self._apns is not None:
                return await self._apns.send(message, self.transport, seconds=seconds, now=now)
            case "web" if self._webpush is not None:
                return await self._webpush.send(message, self.transport, seconds=seconds, now=now)
            case _:
                return Rejected(reason=f"no provider is configured for devices of {platform}")

    async def check(self) -> Outcome | None:
        """Fetch an access token of FCM, without which no send succeeds."""
        if self._fcm is None:
            return None
        seconds, now = self.settings.timeout, self.clock()
        return await self._fcm.access.fetch(self.transport, seconds=seconds, now=now)

    async def _send_fcm(self, message: Message, fcm: Fcm) -> Outcome:
        if not is_token(message.address):
            return Rejected(reason=f"the address is not a token: {NAME_A_DEVICE}")
        refused = await self._renew_access_token(fcm)
        if refused is not None:
            return refused
        outcome = await super().send(message)
        if not isinstance(outcome, Suspend) or outcome.status != HTTPStatus.UNAUTHORIZED:
            return outcome
        # Google may end an access token before its time; its own libraries get a new one and ask
        # once more (https://github.com/googleapis/google-auth-library-python/blob/main/google/auth/transport/requests.py).
        refused = await self._renew_access_token(fcm)
        return refused or await super().send(message)

    async def _renew_access_token(self, fcm: Fcm) -> Outcome | None:
        """Return None once there is a valid access token, else the outcome of fetching it."""
        seconds, now = self.settings.timeout, self.clock()
        return await fcm.access.renew(self.transport, seconds=seconds, now=now)

    def choose_plugin(self, message: Message) -> Build | None:
        """Return Apprise's class for FCM with the message, None without FCM."""
        return None if self._fcm is None else self._fcm.build(message, self.clock())

    def format_message(self, message: Message) -> tuple[str, str]:
        """Return a body that Apprise accepts; `choose_plugin` carries the real message."""
        return "", message.body or message.title or message.kind

    def carries_message(self, request: Request) -> bool:
        """Return False for the request of an access token."""
        return any(
            carries(request)
            for carries in (apns.is_push_request, webpush.is_push_request, is_message_request)
        )

    def error_code(self, exchange: Exchange) -> str:
        """Return the provider's error code."""
        return read_error_code(exchange)

    def simplify_message(self, message: Message, exchange: Exchange) -> Message | None:
        """Return a smaller message where FCM calls this one too large, else None.

        Where FCM refuses the image or the link, the message comes back without both.
        """
        if is_too_large(exchange):
            return drop_optional_data(message)
        if is_image_or_link_refused(exchange) and (message.image or message.link):
            return replace(message, image="", link="")
        return None

    def read_handle(self, exchange: Exchange) -> str:
        """Return the name that FCM gave the message."""
        name = exchange.json_value("name")
        return name if isinstance(name, str) else ""

    def classify(self, exchanges: Sequence[Exchange]) -> Outcome | None:
        """Drop the access token that FCM refused, so that the next send fetches a new one."""
        if self._fcm is not None and exchanges:
            self._fcm.drop_refused_token(exchanges[-1])
        return None

    def sandbox(self, request: Request) -> Response:
        """Return the provider's answer to an accepted request."""
        if webpush.is_push_request(request):
            return webpush.sandbox_response(request)
        return (
            apns.sandbox_response(request)
            if apns.is_push_request(request)
            else sandbox_response(request)
        )


def _find_platform(message: Message) -> str:
    """Return the device's platform, or the one that the form of a fixed address implies."""
    if webpush.is_subscription(message.address):
        return "web"
    if message.device is not None:
        return message.device.platform
    return "apns" if apns.is_token(message.address) else "fcm"


def _find_provider(platform: str) -> str:
    """Return the provider in a platform's name: the part before the first `_`."""
    return platform.lower().partition("_")[0]
