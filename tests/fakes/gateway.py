"""A team's own gateway: takes Standard Webhooks that are signed with its secret.

Format: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import time
from hashlib import sha256

from router.channel import Request
from router.testing import FakeProvider, ProviderReply

TOLERANCE = 300


class Gateway(FakeProvider):
    """Verifies id, time and signature; a repeated id is taken once."""

    secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

    def __init__(self) -> None:
        super().__init__(answer=self.answer_to)
        self.taken: dict[str, Request] = {}

    def answer_to(self, request: Request) -> ProviderReply:
        """Return what the provider answers."""
        headers = request.headers
        name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not name or not at.isdecimal() or abs(int(at) - time.time()) > TOLERANCE:
            return ProviderReply(status=400, body=b"webhook-id and webhook-timestamp are required")
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        content = b".".join([name.encode(), at.encode(), request.body])
        signature = base64.b64encode(hmac.digest(key, content, sha256)).decode()
        if f"v1,{signature}" not in headers.get("webhook-signature", "").split(" "):
            return ProviderReply(status=401, body=b"no matching signature")
        self.taken.setdefault(name, request)
        return ProviderReply(status=204, body=b"")
