"""A browser, and the push service it subscribed at, over TLS.

Formats: https://www.rfc-editor.org/rfc/rfc8030, https://www.rfc-editor.org/rfc/rfc8291 and
https://www.rfc-editor.org/rfc/rfc8292
"""

import base64
import hmac
import time
from functools import cache
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from router.channel import Request
from router.testing import FakeProvider, ProviderReply
from tests.fakes.answer import reply_json
from tests.transport.certificate import make_authority

HOST = "push.example.net"
SUBJECT = "mailto:ops@example.com"
URGENCIES = {"very-low", "low", "normal", "high"}
HEADERS = {
    *("authorization", "content-encoding", "content-type", "ttl", "urgency", "topic"),
    *("host", "accept", "accept-encoding", "user-agent", "content-length"),
}

POLICY = "x-wns-cache-policy"
CONFLICT = "Ttl value conflicts with X-WNS-Cache-Policy."
"""As Windows has it: https://github.com/web-push-libs/pywebpush/issues/162"""


@cache
def vapid_key() -> ec.EllipticCurvePrivateKey:
    """Return the key of the one team."""
    return ec.generate_private_key(ec.SECP256R1())


def make_settings() -> dict[str, object]:
    """Return what `webpush:` says of the one team."""
    pem = vapid_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {"private_key": pem.decode(), "subject": SUBJECT}


def write_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as 65 bytes."""
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def pack(content: bytes) -> str:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unpack(text: str) -> bytes:
    """Return bytes from base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """A browser that has subscribed, and reads what was encrypted for it."""

    def __init__(self, name: str = "one", host: str = HOST) -> None:
        self.endpoint = f"https://{host}/push/{name}"
        self.secret = sha256(name.encode()).digest()[:16]
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def keys(self) -> dict[str, str]:
        """What is to be encrypted with."""
        point = write_point(self.key.public_key())
        return {"p256dh": pack(point), "auth": pack(self.secret)}

    @property
    def subscription(self) -> dict[str, object]:
        """What `PushSubscription.toJSON()` gives."""
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": self.keys}

    @property
    def address(self) -> str:
        """The subscription as the router keeps it."""
        return msgspec.json.encode(self.subscription).decode()

    def read(self, body: bytes) -> dict[str, str]:
        """Return the message in an encrypted body."""
        return msgspec.json.decode(self.decrypt(body), type=dict[str, str])

    def decrypt(self, body: bytes) -> bytes:
        """Return what is in an encrypted body, as a browser reads it (RFC 8291, 3.4)."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        point, sealed = body[21 : 21 + length], body[21 + length :]
        assert length == 65
        assert len(sealed) <= size
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = self.key.exchange(ec.ECDH(), sender)
        info = b"WebPush: info\0" + write_point(self.key.public_key()) + point
        material = _expand(_hmac(self.secret, shared), info, 32)
        first = _hmac(salt, material)
        key = _expand(first, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _expand(first, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert padded.endswith(b"\x02"), "the last record ends with 2"
        return padded[:-1]


class PushService(FakeProvider):
    """Takes pushes to its browsers and checks each; `signatures` are those that were shown."""

    def __init__(self, host: str = HOST) -> None:
        super().__init__(answer=self.take, tls=make_authority()[0])
        self.hosts: tuple[str, ...] = (host,)
        self.signatures: set[str] = set()
        self.limit = 4096
        self.is_windows = host.endswith(".notify.windows.com")

    def take(self, request: Request) -> ProviderReply:
        """Return what a push service answers to a request."""
        headers = request.headers
        unknown = headers.keys() - HEADERS
        assert unknown == ({POLICY} if self.is_windows else set()), unknown
        if request.method != "POST":
            return ProviderReply(status=405)
        if self.refuses(headers.get("authorization", "")):
            return ProviderReply(status=403, body=b'{"reason": "BadJwtToken"}')
        faults = (
            headers.get("content-encoding") != "aes128gcm",
            not headers.get("ttl", "").isdecimal(),
            headers.get("urgency", "normal") not in URGENCIES,
            len(headers.get("topic", "")) > 32,
            not headers.get("topic", "a").replace("-", "a").replace("_", "a").isalnum(),
        )
        if any(faults):
            return ProviderReply(status=400)
        if len(request.body) > self.limit:
            words = f"This message is limited to {self.limit} bytes."
            return reply_json({"code": 413, "errno": 104, "message": words}, status=413)
        if self.is_windows and (headers["ttl"] == "0") == (headers[POLICY] == "cache"):
            return ProviderReply(
                status=400, headers={"X-WNS-Error-Description": CONFLICT}, body=b""
            )
        place = f"https://{self.hosts[0]}/message/{len(self.requests)}"
        return ProviderReply(status=201, headers={"Location": place}, body=b"")

    def refuses(self, authorization: str) -> bool:
        """Return whether the signature is not one of the team's, for this service, for now."""
        scheme, _, rest = authorization.partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        if scheme != "vapid" or parts.keys() != {"t", "k"}:
            return True
        if unpack(parts["k"]) != write_point(vapid_key().public_key()):
            return True
        self.signatures.add(parts["t"])
        head, claims, signature = (unpack(part) for part in parts["t"].split("."))
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        content = parts["t"].rpartition(".")[0].encode()
        try:
            vapid_key().public_key().verify(
                encode_dss_signature(r, s), content, ec.ECDSA(hashes.SHA256())
            )
        except InvalidSignature:
            return True
        said = msgspec.json.decode(claims, type=dict[str, object])
        ends = said["exp"]
        return not (
            msgspec.json.decode(head) == {"typ": "JWT", "alg": "ES256"}
            and said.keys() == {"aud", "exp", "sub"}
            and said["aud"] == f"https://{self.hosts[0]}"
            and said["sub"] == SUBJECT
            and isinstance(ends, int)
            and 0 < ends - time.time() <= 86400
        )


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, sha256)


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    return _hmac(key, info + b"\x01")[:length]
