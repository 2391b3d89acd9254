"""APNs: send to Apple's push service, and read its answers.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns,
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
and, for the tokens,
https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct
from msgspec.structs import replace

from router import Message, Notification, Outcome, Rejected, Secret
from router.bridge import (
    Exchange,
    Request,
    Response,
    ResponseMeaning,
    Transport,
    TransportError,
    classify_response,
    make_outcome,
)
from router.plugins.push.apns_message import (
    PushType,
    choose_push_type,
    read_call_action,
    write_headers,
    write_payload,
)
from router.plugins.push.data_payload import drop_optional_data
from router.plugins.push.es256_jwt import load_key, sign_token

HOST = "https://api.push.apple.com"
SANDBOX_HOST = "https://api.sandbox.push.apple.com"

TOKEN_RENEWAL_S = 50 * 60
"""Age at which a JWT is replaced: Apple rejects one that is older than 60 minutes."""

TOKEN_MIN_INTERVAL_S = 20 * 60.0
"""Shortest time that Apple allows between two JWTs."""

RESPONSE_CODES: Mapping[int | str, ResponseMeaning] = {
    "BadDeviceToken": "gone",
    "DeviceTokenNotForTopic": "gone",
    "ExpiredToken": "gone",
    "Unregistered": "gone",
    "ExpiredProviderToken": "retry",
    "IdleTimeout": "retry",
    "BadTopic": "suspend",
    "MissingTopic": "suspend",
    "TopicDisallowed": "suspend",
    "TooManyProviderTokenUpdates": "suspend",
    403: "suspend",
}
"""Meanings of Apple's reasons that differ from HTTP's reading of their status.

Every documented reason for 403 is about the provider's certificate or token:
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

_WRONG_SETTINGS_REASONS = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})
"""Reasons that a wrong `sandbox` or `topic` causes for every token.

Until Apple has accepted a push with these settings, such a refusal does not forget the token.
"""

_REASON = re.compile(r"[A-Z][A-Za-z]{2,40}")
_APNS_ID = re.compile(r"[0-9A-Fa-f-]{36}")
_TOKEN = re.compile(r"[0-9A-Fa-f]{64,400}")
_TOKEN_CHARACTERS = re.compile(r"[0-9A-Za-z_.-]{1,400}")


class ApnsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of Apple's push service: the key that signs the JWT, and the app."""

    key: Annotated[
        Secret,
        Meta(description="Text of the .p8 key, as ${file:/run/secrets/AuthKey.p8}."),
    ]
    key_id: Annotated[
        str, Meta(description="The key's id, of ten characters.", pattern="^[A-Z0-9]{10}$")
    ]
    team_id: Annotated[
        str, Meta(description="The team's id, of ten characters.", pattern="^[A-Z0-9]{10}$")
    ]
    topic: Annotated[
        str,
        Meta(
            description="The app's bundle id; calls go to the same with `.voip` after it.",
            pattern=r"^[A-Za-z0-9.-]{1,155}$",
        ),
    ]
    sandbox: Annotated[
        bool,
        Meta(description="Send to Apple's sandbox, where apps built by Xcode are registered."),
    ] = False
    rings: Annotated[
        Literal["everywhere", "voip"],
        Meta(
            description="Where a call rings: on VoIP tokens, and as an alert on other devices "
            "too; or on VoIP tokens alone, where every app registers one."
        ),
    ] = "everywhere"

    def __post_init__(self) -> None:
        """Raise `ValueError` for a key that is none of Apple's, and for a topic with `.voip`."""
        _load_key(self.key.reveal())
        if self.topic.endswith(".voip"):
            raise ValueError("topic: must be the bundle id alone, without .voip")


class Apns:
    """A client of APNs for one app, with its loaded key and the current JWT."""

    def __init__(self, settings: ApnsSettings) -> None:
        """Load the key."""
        self._settings = settings
        self._key = _load_key(settings.key.reveal())
        self._host = SANDBOX_HOST if settings.sandbox else HOST
        self._token = ""
        self._token_made_at = 0.0
        self._has_delivered = False

    def __repr__(self) -> str:
        """Return the app's name, and no key."""
        return f"Apns({self._settings.topic})"

    async def send(
        self, message: Message, transport: Transport, *, seconds: float, now: float
    ) -> Outcome:
        """Try once to reach a device."""
        if not may_be_token(message.address):
            return Rejected(reason="the address is not a device token of Apple")
        platform = message.device.platform if message.device else ""
        kind = choose_push_type(message.notification, platform, quiet=message.quiet)
        if kind is None:
            return Rejected(reason="a VoIP token accepts only calls that ring")
        exchange = await self._push(message, kind, transport, seconds=seconds, now=now)
        match _read_reason(exchange):
            case "ExpiredProviderToken":  # Apple's clock is ahead: a new token is taken at once
                exchange = await self._push(message, kind, transport, seconds=seconds, now=now)
            case "PayloadTooLarge" if smaller := drop_optional_data(message):
                exchange = await self._push(smaller, kind, transport, seconds=seconds, now=now)
        self._has_delivered |= exchange.status == HTTPStatus.OK
        outcome = _make_outcome(exchange, now)
        if isinstance(outcome, Rejected) and not self._has_delivered:
            is_certain = _read_reason(exchange) not in _WRONG_SETTINGS_REASONS
            return replace(outcome, forget_contact=outcome.forget_contact and is_certain)
        return outcome

    async def _push(
        self, message: Message, kind: PushType, transport: Transport, *, seconds: float, now: float
    ) -> Exchange:
        """Make one request; drop the JWT when Apple calls it expired."""
        token = self._get_jwt(now)
        headers = write_headers(message, kind, topic=self._settings.topic, now=now)
        request = Request(
            method="POST",
            url=f"{self._host}/3/device/{message.address}",
            headers={"authorization": f"bearer {token}", **headers},
            body=write_payload(message, kind),
            http2=True,
        )
        try:
            exchange = Exchange(request, await transport.send(request, timeout=seconds))
        except TransportError as error:
            return Exchange(request, error=error)
        if _read_reason(exchange) == "ExpiredProviderToken" and token == self._token:
            self._token = ""
        return exchange

    def _get_jwt(self, now: float) -> str:
        """Return the current JWT, signed again when it is too old."""
        if not self._token or not 0 <= now - self._token_made_at < TOKEN_RENEWAL_S:
            self._token_made_at = now
            self._token = self._sign(now)
        return self._token

    def _sign(self, now: float) -> str:
        claims = {"iss": self._settings.team_id, "iat": int(now)}
        return sign_token(self._key, {"kid": self._settings.key_id}, claims)


def _make_outcome(exchange: Exchange, now: float) -> Outcome:
    """Return the outcome of Apple's answer."""
    code = _read_reason(exchange)
    if code == "TooManyProviderTokenUpdates":
        return make_outcome(
            "suspend", status=exchange.status, reason=code, after=TOKEN_MIN_INTERVAL_S
        )
    name = exchange.headers.get("apns-id", "")
    handle = name if _APNS_ID.fullmatch(name) else ""
    outcome = classify_response(
        [exchange], response_codes=RESPONSE_CODES, now=now, code=code, handle=handle
    )
    dead_since_ms = exchange.json_value("timestamp")  # in milliseconds, beside a 410 alone
    if isinstance(outcome, Rejected) and isinstance(dead_since_ms, int):
        return replace(outcome, dead_since=dead_since_ms / 1000)
    return outcome


def wants(settings: ApnsSettings, notification: Notification, platform: str) -> bool:
    """Return whether a device gets a notification: a VoIP token gets only ringing calls."""
    kind = choose_push_type(notification, platform)
    if kind == "alert" and settings.rings == "voip":
        return read_call_action(notification) != "initiated"
    return kind is not None


def is_token(address: str) -> bool:
    """Return whether an address has the form of Apple's device tokens, whose length may change."""
    return _TOKEN.fullmatch(address) is not None


def may_be_token(address: str) -> bool:
    """Return whether an address has only characters of a token, so that Apple can decide.

    A token of Firebase's, and the printed form of a token, have others.
    """
    return _TOKEN_CHARACTERS.fullmatch(address) is not None


def is_push_request(request: Request) -> bool:
    """Return whether a request goes to APNs."""
    return "/3/device/" in request.url


def sandbox_response(request: Request) -> Response:
    """Return APNs' answer to a push it accepted: the id of the message, and an empty body."""
    return Response(status=200, headers={"apns-id": request.headers["apns-id"].upper()})


def _read_reason(exchange: Exchange) -> str:
    reason = exchange.json_value("reason")
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_key(pem)
    if key is None:
        raise ValueError("key: must be the text of the .p8 file itself, an EC key on P-256")
    return key
