"""What goes to a browser: headers, and a body that nobody but the browser can read.

https://www.rfc-editor.org/rfc/rfc8030 (headers), https://www.rfc-editor.org/rfc/rfc8291 (keys)
and https://www.rfc-editor.org/rfc/rfc8188 (the encoding of the body).
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
    write_texts,
)

MAX_RECORD_BYTES = 4096
"""Bytes of a body that every push service takes (RFC 8030, 7.2)."""

_SALT, _TAG, _POINT = 16, 16, 65
_HEAD = _SALT + 4 + 1 + _POINT
OVERHEAD_BYTES = _HEAD + 1 + _TAG
"""Bytes of a body that are not the message's, with the octet that marks its end."""

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
    """Where a subscription leads, and the keys to write to it with."""

    endpoint: str
    origin: str
    key: ec.EllipticCurvePublicKey
    secret: bytes

    def __repr__(self) -> str:
        """Name the push service alone."""
        return f"Browser({self.origin})"


def read_browser(address: str) -> BrowserEndpoint:
    """Return what a subscription in JSON says; raises `ValueError` where it is none."""
    subscription = _read(address)
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
        raise ValueError("the subscription's key is no point on P-256") from None
    return BrowserEndpoint(
        endpoint=subscription.endpoint,
        origin=f"https://{host}" if port == HTTPS_PORT else f"https://{host}:{port}",
        key=key,
        secret=secret,
    )


def find_host(address: str) -> str:
    """Return the host of the push service that a subscription leads to; empty where it is none."""
    try:
        return _host_and_port(_read(address).endpoint)[0]
    except ValueError:
        return ""


def _read(address: str) -> PushSubscription:
    try:
        return msgspec.json.decode(address, type=PushSubscription)
    except (msgspec.DecodeError, ValueError):
        raise ValueError("the address is no push subscription") from None


def _host_and_port(endpoint: str) -> tuple[str, int]:
    """Return the host of an endpoint, as a URL writes it, and the port.

    Chrome writes `permanently-removed.invalid` where nobody is to be reached any more, in a
    domain that will never be (RFC 6761, 6.4).
    """
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname, url.port or HTTPS_PORT
    except ValueError:
        host, port = None, 0
    if not host or not _ENDPOINT.fullmatch(endpoint):
        raise ValueError("the subscription's endpoint is no https:// address")
    if host.endswith(".invalid"):
        raise ValueError("the browser has given the subscription up")
    return f"[{host}]" if ":" in host else host, port


def write_headers(message: Message, now: float, *, collapse: bool) -> dict[str, str]:
    """Return the headers of a push, less the authorization.

    With `collapse`, it replaces at the push service what waits there under its key.
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
    """Return the message in JSON: every key of the notification, and its own, as texts.

    Encrypted, it takes at most `record` bytes. `collapse` is what the service worker tells one
    message from another by.
    """
    data = {"collapse": message.collapse} if message.collapse else {}
    room = record - OVERHEAD_BYTES
    return msgspec.json.encode(fit_data(data | write_texts(message), room - 1, count_json_bytes))


def encrypt(content: bytes, browser: BrowserEndpoint) -> bytes:
    """Return a body that the browser alone can read, under a key and a salt of its own."""
    return seal_record(content, browser, ec.generate_private_key(ec.SECP256R1()), os.urandom(_SALT))


def seal_record(
    content: bytes, browser: BrowserEndpoint, key: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """Return one encrypted record (RFC 8188, 2) with its header."""
    mine = write_point(key.public_key())
    shared = key.exchange(ec.ECDH(), browser.key)
    info = b"WebPush: info\0" + write_point(browser.key) + mine
    material = _derive(shared, salt=browser.secret, info=info, length=32)
    secret = _derive(material, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = _derive(material, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    sealed = AESGCM(secret).encrypt(nonce, content + b"\x02", None)
    return salt + MAX_RECORD_BYTES.to_bytes(4, "big") + bytes([len(mine)]) + mine + sealed


def write_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as 65 bytes."""
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def decode_base64url(text: str) -> bytes:
    """Return bytes from base64url, padded or not; nothing for what is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _derive(material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)
