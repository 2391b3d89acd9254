"""Signatures of webhook bodies: HMAC-SHA256 over the bytes as they came.

CometChat's documentation says "a verified signature" and no more. Its code samples put the digest
in hex into `x-cometchat-signature`; senders of other makes write base64, or `sha256=` before it.
"""

import hmac
from base64 import b64decode
from binascii import unhexlify

from router.channel import Secret

DIGEST_BYTES = 32
"""Bytes of a digest."""


class Signer:
    """Signs bodies with a secret, and says whether a signature is its own."""

    def __init__(self, secret: Secret) -> None:
        """Prepare the key, which is the same for every body."""
        self._keyed = hmac.new(secret.reveal().encode(), digestmod="sha256")

    def sign(self, body: bytes) -> bytes:
        """Return the digest of a body."""
        signing = self._keyed.copy()
        signing.update(body)
        return signing.digest()

    def has_signed(self, body: bytes, digest: bytes) -> bool:
        """Return whether the digest is the body's, in the same time for every wrong one."""
        return hmac.compare_digest(self.sign(body), digest)


def read_signature(text: bytes) -> bytes | None:
    """Return the digest that a header holds in hex or base64; None when it holds none."""
    written = text.strip().removeprefix(b"sha256=")
    try:
        digest = (
            unhexlify(written)
            if len(written) == 2 * DIGEST_BYTES
            else b64decode(written, validate=True)
        )
    except ValueError:
        return None
    return digest if len(digest) == DIGEST_BYTES else None
