"""JSON Web Tokens signed with ES256, which APNs and push services of browsers require.

https://www.rfc-editor.org/rfc/rfc7515, https://www.rfc-editor.org/rfc/rfc7518#section-3.4
"""

import base64
from collections.abc import Mapping
from functools import cache

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

COORDINATE_BYTES = 32
"""Bytes of a coordinate on the curve P-256."""


def load_key(pem: str) -> ec.EllipticCurvePrivateKey | None:
    """Return the private key in a PEM text, None for another text or another curve."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (TypeError, ValueError):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return key
    return None


def sign_token(
    key: ec.EllipticCurvePrivateKey, head: Mapping[str, object], claims: Mapping[str, object]
) -> str:
    """Return a signed JWT; the function adds the algorithm to `head`."""
    parts = ({"alg": "ES256", **head}, claims)
    content = b".".join(encode_base64url(msgspec.json.encode(part)) for part in parts)
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
    return (content + b"." + encode_base64url(signature)).decode()


def encode_base64url(content: bytes) -> bytes:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")


@cache
def make_placeholder_key() -> str:
    """Return a random private key in PEM for sandbox mode."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
