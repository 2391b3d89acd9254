"""A browser's push subscription, which stands for a device's token.

What it holds: https://www.w3.org/TR/push-api/#pushsubscription-interface and, for its keys,
https://www.rfc-editor.org/rfc/rfc8291#section-3
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta, Struct

from router.store.errors import RequestFault

PLATFORM = "web"
"""The platform of a browser that has a subscription; one of Firebase's has a token."""

_ENDPOINT = re.compile(r"https://[\w.:\[\]-]+([/?#][!-~]*)?", re.ASCII)
_POINT, _SECRET = 65, 16
"""Bytes of a public key, and of a secret."""


class StoredSubscriptionKeys(Struct, frozen=True, kw_only=True):
    """What to encrypt for a browser with."""

    p256dh: Annotated[str, Meta(description="The browser's public key, 65 bytes in base64url.")]
    auth: Annotated[str, Meta(description="The secret it shares, 16 bytes in base64url.")]


class StoredSubscription(Struct, frozen=True, kw_only=True):
    """A browser's push subscription, less what no push needs."""

    endpoint: str
    keys: StoredSubscriptionKeys


def subscription_address(subscription: StoredSubscription) -> str:
    """Return the text that stands for a subscription, the same for the same."""
    return msgspec.json.encode(subscription, order="deterministic").decode()


def subscription_faults(platform: str, address: str) -> Iterator[RequestFault]:
    """Yield what is wrong with the address of a browser; of other devices nothing."""
    if address.startswith("{"):
        try:
            subscription = msgspec.json.decode(address, type=StoredSubscription)
        except (msgspec.DecodeError, ValueError):
            yield RequestFault(
                "$.token", "must be a token, or a subscription as a browser gives it"
            )
        else:
            yield from _faults(subscription)
    elif platform.lower() == PLATFORM:
        remedy = "give `subscription`, as `PushSubscription.toJSON()` gives it"
        yield RequestFault("$.token", f"is not a browser subscription; {remedy}")


def _faults(subscription: StoredSubscription) -> Iterator[RequestFault]:
    if not _is_endpoint(subscription.endpoint):
        yield RequestFault(
            "$.subscription.endpoint", "must be a https:// address of a push service"
        )
    if not _is_point(_decode_subscription(subscription.keys.p256dh)):
        reason = "must be the browser's public key, 65 bytes in base64url that are a point on P-256"
        yield RequestFault("$.subscription.keys.p256dh", reason)
    if len(_decode_subscription(subscription.keys.auth)) != _SECRET:
        yield RequestFault("$.subscription.keys.auth", f"must be {_SECRET} bytes in base64url")


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host or host.endswith(".invalid"):  # as Chrome's of a subscription that was given up
        return False
    return _ENDPOINT.fullmatch(url) is not None


def _is_point(point: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return len(point) == _POINT


def _decode_subscription(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
