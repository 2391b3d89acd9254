"""Apple's push service: HTTP/2 over TLS, and tokens that a key has signed.

Formats:
https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns,
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

import base64
import time
from functools import cache
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from router.channel import Request
from router.testing import ProviderReply
from tests.fakes.answer import path_of, read_json, reply_json
from tests.fakes.http2 import Act, Http2Provider

BUNDLE = "com.example.chat"
KEY_ID = "ABC123DEFG"
TEAM_ID = "DEF123GHIJ"

HEADERS = {
    "authorization",
    "apns-id",
    "apns-push-type",
    "apns-topic",
    "apns-priority",
    "apns-expiration",
    "apns-collapse-id",
    "content-length",
}
APS = {"alert", "badge", "sound", "thread-id", "content-available", "mutable-content"}
ALERT = {"title", "body", "title-loc-key", "title-loc-args", "loc-key", "loc-args"}
LIMITS = {"alert": 4096, "background": 4096, "voip": 5120}


@cache
def auth_key() -> ec.EllipticCurvePrivateKey:
    """Return the key of the one team."""
    return ec.generate_private_key(ec.SECP256R1())


def make_settings() -> dict[str, object]:
    """Return what `apns:` says of the one app."""
    pem = auth_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {"key": pem.decode(), "key_id": KEY_ID, "team_id": TEAM_ID, "topic": BUNDLE}


def refuse(status: int, reason: str, **more: object) -> ProviderReply:
    """Return an error as Apple writes it."""
    return reply_json({"reason": reason, **more}, status=status)


class Apns(Http2Provider):
    """Takes pushes for its one app and checks each.

    `script` holds what is done instead, `refused` what pushes to a device are answered, by its
    token; `tokens` are the signed ones that were shown.
    """

    def __init__(self, *script: Act, sandbox: bool = False) -> None:
        super().__init__(*script, answer=self.take)
        self.hosts: tuple[str, ...] = (f"api.{'sandbox.' if sandbox else ''}push.apple.com",)
        self.tokens: set[str] = set()
        self.refused: dict[str, ProviderReply] = {}

    def take(self, request: Request) -> ProviderReply:
        """Return what Apple answers to a request."""
        if request.method != "POST":
            return refuse(405, "MethodNotAllowed")
        prefix, _, device = path_of(request).rpartition("/")
        if prefix != "/3/device":
            return refuse(404, "BadPath")
        return (
            self.refuse_token(request)
            or self.refuse_headers(request)
            or self.refuse_payload(request)
            or (refuse(400, "BadDeviceToken") if len(device) < 64 else None)
            or self.refused.get(device)
            or ProviderReply(
                status=200, headers={"apns-id": request.headers["apns-id"].upper()}, body=b""
            )
        )

    def refuse_token(self, request: Request) -> ProviderReply | None:
        """Return what is wrong with the authorization."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token.count(".") != 2:
            return refuse(403, "MissingProviderToken")
        self.tokens.add(token)
        head, claims, signature = (_unpad(part) for part in token.split("."))
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        content = token.rpartition(".")[0].encode()
        try:
            auth_key().public_key().verify(
                encode_dss_signature(r, s), content, ec.ECDSA(hashes.SHA256())
            )
        except InvalidSignature:
            return refuse(403, "InvalidProviderToken")
        if msgspec.json.decode(head) != {"alg": "ES256", "kid": KEY_ID}:
            return refuse(403, "InvalidProviderToken")
        said = msgspec.json.decode(claims, type=dict[str, object])
        if said.keys() != {"iss", "iat"} or said["iss"] != TEAM_ID:
            return refuse(403, "InvalidProviderToken")
        issued = said["iat"]
        if not isinstance(issued, int) or not -60 <= time.time() - issued <= 3600:
            return refuse(403, "ExpiredProviderToken")
        return None

    def refuse_headers(self, request: Request) -> ProviderReply | None:
        """Return what is wrong with the headers."""
        headers = request.headers
        assert headers.keys() <= HEADERS, headers.keys() - HEADERS
        kind, priority = headers.get("apns-push-type", ""), headers.get("apns-priority", "10")
        topic = f"{BUNDLE}.voip" if kind == "voip" else BUNDLE
        name = headers.get("apns-id", "")
        faults = {
            "InvalidPushType": kind not in LIMITS,
            "TopicDisallowed": headers.get("apns-topic") != topic,
            "BadPriority": priority not in {"5", "10"}
            or (kind == "background" and priority != "5"),
            "BadMessageId": len(name) != 36 or str(UUID(name)) != name.lower(),
            "BadExpirationDate": not headers.get("apns-expiration", "0").isdecimal(),
            "BadCollapseId": len(headers.get("apns-collapse-id", "").encode()) > 64,
        }
        return next((refuse(400, reason) for reason, wrong in faults.items() if wrong), None)

    def refuse_payload(self, request: Request) -> ProviderReply | None:
        """Return what is wrong with the body."""
        kind = request.headers["apns-push-type"]
        if len(request.body) > LIMITS[kind]:
            return refuse(413, "PayloadTooLarge")
        if not request.body:
            return refuse(400, "PayloadEmpty")
        aps = read_json(request)["aps"]
        assert isinstance(aps, dict)
        assert aps.keys() <= APS, aps.keys() - APS
        if kind == "alert":
            assert aps["alert"].keys() <= ALERT, aps["alert"].keys() - ALERT
            assert {"title", "title-loc-key"} & aps["alert"].keys()
            assert {"body", "loc-key"} & aps["alert"].keys()
        if kind == "background":
            assert aps["content-available"] == 1
            assert not aps.keys() & {"alert", "sound"}
        return None


def _unpad(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
