"""The message of Web Push: subscription, headers, payload, and its encryption (aes128gcm).

https://www.rfc-editor.org/rfc/rfc8030 (headers), https://www.rfc-editor.org/rfc/rfc8291 (keys),
https://www.rfc-editor.org/rfc/rfc8188 (encoding of the body).
"""

import base64
import binascii
import os
import re
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from router import Message
from router.plugins.push.data_payload import (
    count_json_bytes,
    count_ttl,
    fit_data,
    make_topic,
    write_data,
)

MAX_RECORD_BYTES = 4096
"""Largest body that every push service accepts (RFC 8030, 7.2)."""

_SALT_BYTES, _TAG_BYTES, _POINT_BYTES = 16, 16, 65
_HEADER_BYTES = _SALT_BYTES + 4 + 1 + _POINT_BYTES
OVERHEAD_BYTES = _HEADER_BYTES + 1 + _TAG_BYTES
"""Bytes of a body beside the message: the header, the octet that ends the message, the tag."""

AUTH_SECRET_BYTES = 16
"""Bytes of a subscription's authentication secret (RFC 8291, 3.2)."""

HTTPS_PORT = 443
_ENDPOINT = re.compile(r"https://[\w.:\[\]-]+([/?#][!-~]*)?", re.ASCII)


class SubscriptionKeys(Struct, frozen=True, kw_only=True):
    """A browser's public key and secret, in base64url."""

    p256dh: str
    auth: str


class PushSubscription(Struct, frozen=True, kw_only=True):
    """A browser's push subscription, as `PushSubscription.toJSON()` gives it."""

    endpoint: str
    keys: SubscriptionKeys


class BrowserEndpoint(Struct, frozen=True, kw_only=True):
    """The endpoint of a subscription, and the keys that encrypt for its browser."""

    endpoint: str
    origin: str
    key: ec.EllipticCurvePublicKey
    secret: bytes

    def __repr__(self) -> str:
        """Return the push service, and no key."""
        return f"Browser({self.origin})"


def read_subscription(address: str) -> BrowserEndpoint:
    """Return the subscription in a JSON text; raises `ValueError` for another text."""
    subscription = _decode(address)
    host, port = _host_and_port(subscription.endpoint)
    point, secret = (
        decode_base64url(subscription.keys.p256dh),
        decode_base64url(subscription.keys.auth),
    )
    if len(secret) != AUTH_SECRET_BYTES:
        raise ValueError("the subscription's secret is not of 16 bytes")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise ValueError("the key of the subscription is not a point on P-256") from None
    return BrowserEndpoint(
        endpoint=subscription.endpoint,
        origin=f"https://{host}" if port == HTTPS_PORT else f"https://{host}:{port}",
        key=key,
        secret=secret,
    )


def find_host(address: str) -> str:
    """Return the host of a subscription's push service, empty for an invalid subscription."""
    try:
        return _host_and_port(_decode(address).endpoint)[0]
    except ValueError:
        return ""


def _decode(address: str) -> PushSubscription:
    try:
        return msgspec.json.decode(address, type=PushSubscription)
    except (msgspec.DecodeError, ValueError):
        raise ValueError("the address is not a push subscription") from None


def _host_and_port(endpoint: str) -> tuple[str, int]:
    """Return the host of an endpoint, in a URL's spelling, and the port.

    Chrome writes the host `permanently-removed.invalid` for a revoked subscription, in a domain
    that never resolves (RFC 6761, 6.4).
    """
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname, url.port or HTTPS_PORT
    except ValueError:
        host, port = None, 0
    if not host or not _ENDPOINT.fullmatch(endpoint):
        raise ValueError("the endpoint of the subscription is not an https:// URL")
    if host.endswith(".invalid"):
        raise ValueError("the browser has given the subscription up")
    return f"[{host}]" if ":" in host else host, port


def write_headers(message: Message, now: float, *, collapse: bool) -> dict[str, str]:
    """Return the headers of a push without the authorization.

    With `collapse`, the push replaces a waiting one with the same collapse key.
    """
    headers = {
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(count_ttl(message, now)),
        "urgency": "high" if message.kind == "call" else message.priority,
    }
    if message.collapse and collapse:
        headers["topic"] = make_topic(message.collapse)
    return headers


def write_payload(message: Message, record: int = MAX_RECORD_BYTES) -> bytes:
    """Return the message in JSON: every key of the notification and of the message as a text.

    Its encrypted form takes at most `record` bytes. Service workers tell messages apart by the key
    `collapse`.
    """
    data = {"collapse": message.collapse} if message.collapse else {}
    room = record - OVERHEAD_BYTES
    return msgspec.json.encode(fit_data(data | write_data(message), room - 1, count_json_bytes))


def encrypt(content: bytes, browser: BrowserEndpoint) -> bytes:
    """Return a body that only the browser can decrypt, with a new key and a new salt."""
    return seal_record(
        content, browser, ec.generate_private_key(ec.SECP256R1()), os.urandom(_SALT_BYTES)
    )


def seal_record(
    content: bytes, browser: BrowserEndpoint, key: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """Return one encrypted record (RFC 8188, 2) with its header."""
    public_point = write_point(key.public_key())
    shared = key.exchange(ec.ECDH(), browser.key)
    info = b"WebPush: info\0" + write_point(browser.key) + public_point
    material = _derive(shared, salt=browser.secret, info=info, length=32)
    secret = _derive(material, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = _derive(material, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    encrypted = AESGCM(secret).encrypt(nonce, content + b"\x02", None)
    return (
        salt
        + MAX_RECORD_BYTES.to_bytes(4, "big")
        + bytes([len(public_point)])
        + public_point
        + encrypted
    )


def write_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as 65 bytes."""
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def decode_base64url(text: str) -> bytes:
    """Return the bytes of a base64url text, padded or not; empty for another text."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _derive(material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)
