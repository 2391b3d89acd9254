"""The browsers' push services, one of the providers of `push`.

https://www.rfc-editor.org/rfc/rfc8030 (requests and answers) and, for the signature that says
who sends, https://www.rfc-editor.org/rfc/rfc8292 (VAPID).
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
    read_browser,
    write_headers,
    write_payload,
    write_point,
)
from router.plugins.push.webpush_services import (
    DROPPED,
    THROTTLED,
    add_headers,
    find_limit,
    read_refusal_code,
)

SIGNATURE_LIFETIME_S = 12 * 3600
"""Seconds a signature is good for; push services take none longer than 24 hours."""

SIGNATURE_RENEWAL_S = SIGNATURE_LIFETIME_S - 3600
"""Seconds it is used, so that a push service whose clock is ahead takes it as well."""

MAX_SIGNATURES = 1000
"""How many push services have their signature kept: there are few, but anyone may name one."""

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
"""What a push service means. It is the recipient's word which one is asked, so one that refuses
our signature stops nothing but this message: see docs/decisions/0020-web-push.md. Windows says 406
to a sender that pushes too often:
https://learn.microsoft.com/windows/apps/windows-app-sdk/notifications/push-notifications/troubleshooting
"""

_NAME = re.compile(r"[!-~]{1,500}")
_SUBJECT = re.compile(r"mailto:[^@\s]+@[^@\s]+\.[^@\s.]+|https://[^\s/]+\.[^\s/.]+(/\S*)?")


class WebPushSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The browsers' push services, with the key that the browsers were given (VAPID)."""

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
        """Refuse what is no key, and whom nobody can write to."""
        _load_key(self.private_key.reveal())
        if not _SUBJECT.fullmatch(self.subject):
            raise ValueError(
                "subject: must be an address of the world's, as mailto:ops@example.com: "
                "Apple's push service takes no other"
            )


class WebPush:
    """One key, loaded once, and what it signed for each push service."""

    def __init__(self, settings: WebPushSettings) -> None:
        """Load the key."""
        self._subject = settings.subject
        self._all = settings.collapse == "all"
        self._key = _load_key(settings.private_key.reveal())
        self._public = encode_base64url(write_point(self._key.public_key())).decode()
        self._shown: dict[str, tuple[str, float]] = {}

    def __repr__(self) -> str:
        """Name the subject alone."""
        return f"WebPush({self._subject})"

    async def send(
        self, message: Message, transport: Transport, *, seconds: float, now: float
    ) -> Outcome:
        """Try once to reach a browser."""
        try:
            browser = read_browser(message.address)
        except ValueError as error:
            return Rejected(reason=str(error))
        exchange = await self._push(message, browser, transport, seconds=seconds, now=now)
        if (record := find_limit(exchange)) is not None:
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
        """Push once, with a body of at most `record` bytes."""
        content = write_payload(message, record)
        headers = write_headers(message, now, collapse=self._all or message.kind == "call")
        request = Request(
            method="POST",
            url=browser.endpoint,
            headers={
                "authorization": f"vapid t={self._get_jwt(browser.origin, now)}, k={self._public}",
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
        """Return the signature for a push service, a new one where the last is old."""
        token, signed_at = self._shown.get(origin, ("", 0.0))
        if token and 0 <= now - signed_at < SIGNATURE_RENEWAL_S:
            return token
        claims = {"aud": origin, "exp": int(now) + SIGNATURE_LIFETIME_S, "sub": self._subject}
        token = sign_token(self._key, {"typ": "JWT"}, claims)
        self._shown.pop(origin, None)
        if len(self._shown) >= MAX_SIGNATURES:
            del self._shown[next(iter(self._shown))]
        self._shown[origin] = token, now
        return token


def is_subscription(address: str) -> bool:
    """Return whether an address is a subscription, which is JSON as no token is."""
    return address.startswith("{")


def find_fault(address: str) -> str:
    """Return what is wrong with a subscription, empty for nothing."""
    try:
        read_browser(address)
    except ValueError as error:
        return str(error)
    return ""


def find_service(address: str) -> str:
    """Return the push service that a browser's address leads to; empty where it is no browser's."""
    return find_host(address) if is_subscription(address) else ""


def is_push_request(request: Request) -> bool:
    """Return whether a request is one to a push service."""
    return request.headers.get("content-encoding") == "aes128gcm"


def sandbox_response(request: Request) -> Response:
    """Answer as a push service does: with the place of the message, and nothing else."""
    return Response(status=201, headers={"location": urljoin(request.url, "/message/1")})


def _read_message_url(exchange: Exchange) -> str:
    """Return what the push service calls the message, unless that lets one push to the browser."""
    name = exchange.headers.get("location", "")
    return name if _NAME.fullmatch(name) and exchange.request.url not in name else ""


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
