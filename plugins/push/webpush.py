"""Web Push: send to the push services of browsers, and read their answers.

https://www.rfc-editor.org/rfc/rfc8030 (requests and answers),
https://www.rfc-editor.org/rfc/rfc8292 (VAPID, the signature of the sender).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urljoin

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from router import Message, Outcome, Rejected, Secret
from router.bridge import (
    Exchange,
    Request,
    Response,
    ResponseMeaning,
    Transport,
    TransportError,
    classify_response,
)
from router.plugins.push.es256_jwt import COORDINATE_BYTES, encode_base64url, load_key, sign_token
from router.plugins.push.webpush_message import (
    MAX_RECORD_BYTES,
    BrowserEndpoint,
    decode_base64url,
    encrypt,
    find_host,
    read_subscription,
    write_headers,
    write_payload,
    write_point,
)
from router.plugins.push.webpush_services import (
    DROPPED,
    THROTTLED,
    add_headers,
    find_body_limit,
    read_refusal_code,
)

SIGNATURE_LIFETIME_S = 12 * 3600
"""Validity of a signature; push services accept at most 24 hours."""

SIGNATURE_RENEWAL_S = SIGNATURE_LIFETIME_S - 3600
"""Age at which a signature is replaced, an hour early for push services with a fast clock."""

MAX_SIGNATURES = 1000
"""Signatures kept, one for each push service. There are few, but any recipient can name one."""

RESPONSE_CODES: Mapping[int | str, ResponseMeaning] = {
    DROPPED: "rejected",
    THROTTLED: "throttled",
    401: "rejected",
    403: "rejected",
    404: "gone",
    406: "throttled",
    407: "rejected",
    410: "gone",
}
"""Meanings of a push service's answers.

The recipient's subscription names the push service, so a refused signature stops only this message:
see docs/decisions/0020-web-push.md. Windows answers 406 to a sender that pushes too often:
https://learn.microsoft.com/windows/apps/windows-app-sdk/notifications/push-notifications/troubleshooting
"""

_MESSAGE_URL = re.compile(r"[!-~]{1,500}")
_SUBJECT = re.compile(r"mailto:[^@\s]+@[^@\s]+\.[^@\s.]+|https://[^\s/]+\.[^\s/.]+(/\S*)?")


class WebPushSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of Web Push: the VAPID key with which the browsers subscribed, and the contact."""

    private_key: Annotated[
        Secret,
        Meta(
            description="An EC key on P-256: in PEM, as ${file:/run/secrets/vapid.pem}, or its 32 "
            "bytes in base64url."
        ),
    ]
    subject: Annotated[
        str,
        Meta(
            description="Whom a push service can write to about the pushes, as "
            "mailto:ops@example.com or https://example.com/contact.",
            pattern=r"^(mailto:|https://)\S+$",
        ),
    ]
    collapse: Annotated[
        Literal["calls", "all"],
        Meta(
            description="What a later message replaces at the push service while the browser is "
            "away. Google's may keep four such messages a browser and drop the rest."
        ),
    ] = "calls"

    def __post_init__(self) -> None:
        """Raise `ValueError` for an invalid key, and for a subject that is no public address."""
        _load_key(self.private_key.reveal())
        if not _SUBJECT.fullmatch(self.subject):
            raise ValueError(
                "subject: must be an address of the world's, as mailto:ops@example.com: "
                "Apple's push service takes no other"
            )


class WebPush:
    """A client of push services, with the loaded key and its signature for each service."""

    def __init__(self, settings: WebPushSettings) -> None:
        """Load the key."""
        self._subject = settings.subject
        self._collapses_all = settings.collapse == "all"
        self._key = _load_key(settings.private_key.reveal())
        self._public_key = encode_base64url(write_point(self._key.public_key())).decode()
        self._signatures: dict[str, tuple[str, float]] = {}

    def __repr__(self) -> str:
        """Return the subject, and no key."""
        return f"WebPush({self._subject})"

    async def send(
        self, message: Message, transport: Transport, *, seconds: float, now: float
    ) -> Outcome:
        """Try once to reach a browser."""
        try:
            browser = read_subscription(message.address)
        except ValueError as error:
            return Rejected(reason=str(error))
        exchange = await self._push(message, browser, transport, seconds=seconds, now=now)
        if (record := find_body_limit(exchange)) is not None:
            exchange = await self._push(
                message, browser, transport, seconds=seconds, now=now, record=record
            )
        code, name = read_refusal_code(exchange), _read_message_url(exchange)
        return classify_response(
            [exchange], response_codes=RESPONSE_CODES, now=now, code=code, handle=name
        )

    async def _push(  # noqa: PLR0913 - a push is what it is: each argument is a part of it
        self,
        message: Message,
        browser: BrowserEndpoint,
        transport: Transport,
        *,
        seconds: float,
        now: float,
        record: int = MAX_RECORD_BYTES,
    ) -> Exchange:
        """Make one request, with a body of at most `record` bytes."""
        content = write_payload(message, record)
        headers = write_headers(
            message, now, collapse=self._collapses_all or message.kind == "call"
        )
        token = self._get_jwt(browser.origin, now)
        request = Request(
            method="POST",
            url=browser.endpoint,
            headers={
                "authorization": f"vapid t={token}, k={self._public_key}",
                **headers,
                **add_headers(browser.origin, headers),
            },
            body=encrypt(content, browser),
            plain=content,
            guarded=True,
        )
        try:
            return Exchange(request, await transport.send(request, timeout=seconds))
        except TransportError as error:
            return Exchange(request, error=error)

    def _get_jwt(self, origin: str, now: float) -> str:
        """Return the current signature for a push service, made again when it is too old."""
        token, signed_at = self._signatures.get(origin, ("", 0.0))
        if token and 0 <= now - signed_at < SIGNATURE_RENEWAL_S:
            return token
        claims = {"aud": origin, "exp": int(now) + SIGNATURE_LIFETIME_S, "sub": self._subject}
        token = sign_token(self._key, {"typ": "JWT"}, claims)
        self._signatures.pop(origin, None)
        if len(self._signatures) >= MAX_SIGNATURES:
            del self._signatures[next(iter(self._signatures))]
        self._signatures[origin] = token, now
        return token


def is_subscription(address: str) -> bool:
    """Return whether an address is a push subscription: JSON, which no token is."""
    return address.startswith("{")


def find_fault(address: str) -> str:
    """Return the fault of a subscription, empty for a valid one."""
    try:
        read_subscription(address)
    except ValueError as error:
        return str(error)
    return ""


def find_push_service(address: str) -> str:
    """Return the host of a subscription's push service, empty for other addresses."""
    return find_host(address) if is_subscription(address) else ""


def is_push_request(request: Request) -> bool:
    """Return whether a request goes to a push service of browsers."""
    return request.headers.get("content-encoding") == "aes128gcm"


def sandbox_response(request: Request) -> Response:
    """Return a push service's answer to an accepted push: the URL of the message."""
    return Response(status=201, headers={"location": urljoin(request.url, "/message/1")})


def _read_message_url(exchange: Exchange) -> str:
    """Return the URL of the message, empty where it contains the secret endpoint of the browser."""
    name = exchange.headers.get("location", "")
    return name if _MESSAGE_URL.fullmatch(name) and exchange.request.url not in name else ""


def _load_key(text: str) -> ec.EllipticCurvePrivateKey:
    raw = decode_base64url(text.strip())
    if len(raw) == COORDINATE_BYTES:
        try:
            return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
        except ValueError:
            pass
    key = load_key(text)
    if key is None:
        raise ValueError(
            "private_key: must be an EC key on P-256, in PEM or as its 32 bytes in base64url"
        )
    return key
