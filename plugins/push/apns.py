"""Apple's push service, one of the providers of `push`.

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
from router.plugins.push.data_payload import drop_expendable
from router.plugins.push.es256_jwt import load_key, sign_token

HOST = "https://api.push.apple.com"
SANDBOX_HOST = "https://api.sandbox.push.apple.com"

TOKEN_RENEWAL_S = 50 * 60
"""Seconds a token is used: Apple takes none older than 60 minutes, and no new one within 20."""

TOKEN_MIN_INTERVAL_S = 20 * 60.0
"""Seconds that Apple wants between two tokens."""

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
"""What Apple means, where HTTP's sense is another; its other reasons are as their status.

Every reason that it lists for 403 is about the provider's certificate or token:
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

_OF_ANOTHER_APP = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})
"""What Apple says of a token of its other environment, and of one of another app, too.

With a wrong `sandbox` or `topic` it says so of every token. Until Apple has taken a push with these
settings, such a token is kept.
"""

_REASON = re.compile(r"[A-Z][A-Za-z]{2,40}")
_ID = re.compile(r"[0-9A-Fa-f-]{36}")
_TOKEN = re.compile(r"[0-9A-Fa-f]{64,400}")
_WORD = re.compile(r"[0-9A-Za-z_.-]{1,400}")


class ApnsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Apple's push service, with a token that a key signs."""

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
        """Refuse what is no key of Apple's."""
        _load_key(self.key.reveal())
        if self.topic.endswith(".voip"):
            raise ValueError("topic: must be the bundle id alone, without .voip")


class Apns:
    """One app at Apple: its key, loaded once, and the token that every send shows."""

    def __init__(self, settings: ApnsSettings) -> None:
        """Load the key."""
        self._settings = settings
        self._key = _load_key(settings.key.reveal())
        self._host = SANDBOX_HOST if settings.sandbox else HOST
        self._token = ""
        self._made = 0.0
        self._has_served = False

    def __repr__(self) -> str:
        """Name the app alone."""
        return f"Apns({self._settings.topic})"

    async def send(
        self, message: Message, transport: Transport, *, seconds: float, now: float
    ) -> Outcome:
        """Try once to reach a device."""
        if not may_be_token(message.address):
            return Rejected(reason="the address is no device token of Apple's")
        platform = message.device.platform if message.device else ""
        kind = choose_push_type(message.notification, platform, quiet=message.quiet)
        if kind is None:
            return Rejected(reason="a VoIP token is sent calls that ring, and nothing else")
        exchange = await self._push(message, kind, transport, seconds=seconds, now=now)
        match _read_reason(exchange):
            case "ExpiredProviderToken":  # Apple's clock is ahead: a new token is taken at once
                exchange = await self._push(message, kind, transport, seconds=seconds, now=now)
            case "PayloadTooLarge" if lighter := drop_expendable(message):
                exchange = await self._push(lighter, kind, transport, seconds=seconds, now=now)
        self._has_served |= exchange.status == HTTPStatus.OK
        outcome = _make_outcome(exchange, now)
        if isinstance(outcome, Rejected) and not self._has_served:
            is_proven = _read_reason(exchange) not in _OF_ANOTHER_APP
            return replace(outcome, forget_contact=outcome.forget_contact and is_proven)
        return outcome

    async def _push(
        self, message: Message, kind: PushType, transport: Transport, *, seconds: float, now: float
    ) -> Exchange:
        """Push once, and forget a token that Apple calls expired."""
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
        """Return the token, a new one where the last is old."""
        if not self._token or not 0 <= now - self._made < TOKEN_RENEWAL_S:
            self._made = now
            self._token = self._sign(now)
        return self._token

    def _sign(self, now: float) -> str:
        claims = {"iss": self._settings.team_id, "iat": int(now)}
        return sign_token(self._key, {"kid": self._settings.key_id}, claims)


def _make_outcome(exchange: Exchange, now: float) -> Outcome:
    """Return what an answer of Apple's means."""
    code = _read_reason(exchange)
    if code == "TooManyProviderTokenUpdates":
        return make_outcome(
            "suspend", status=exchange.status, reason=code, after=TOKEN_MIN_INTERVAL_S
        )
    name = exchange.headers.get("apns-id", "")
    handle = name if _ID.fullmatch(name) else ""
    outcome = classify_response(
        [exchange], response_codes=RESPONSE_CODES, now=now, code=code, handle=handle
    )
    found_dead = exchange.json_value("timestamp")  # in milliseconds, beside a 410 alone
    if isinstance(outcome, Rejected) and isinstance(found_dead, int):
        return replace(outcome, dead_since=found_dead / 1000)
    return outcome


def wants(settings: ApnsSettings, notification: Notification, platform: str) -> bool:
    """Return whether a device is to hear of a notification: a VoIP token of rings alone."""
    kind = choose_push_type(notification, platform)
    if kind == "alert" and settings.rings == "voip":
        return read_call_action(notification) != "initiated"
    return kind is not None


def is_token(address: str) -> bool:
    """Return whether an address looks like a device token of Apple's, whose length may change."""
    return _TOKEN.fullmatch(address) is not None


def may_be_token(address: str) -> bool:
    """Return whether Apple can be asked; one of Firebase's, or what an app printed, is none.

    Apple alone knows its tokens, and says so of what is none: then it is forgotten.
    """
    return _WORD.fullmatch(address) is not None


def is_push_request(request: Request) -> bool:
    """Return whether a request is one to Apple."""
    return "/3/device/" in request.url


def sandbox_response(request: Request) -> Response:
    """Answer as Apple does: with the id of the message, and nothing else."""
    return Response(status=200, headers={"apns-id": request.headers["apns-id"].upper()})


def _read_reason(exchange: Exchange) -> str:
    reason = exchange.json_value("reason")
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_key(pem)
    if key is None:
        raise ValueError("key: must be the text of the .p8 file itself, an EC key on P-256")
    return key
