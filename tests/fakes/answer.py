"""What the fakes answer with, and how they read what they are asked."""

from urllib.parse import urlsplit

import msgspec

from router.channel import Request
from router.testing import ProviderReply


def reply_json(content: object, *, status: int = 200, **headers: str) -> ProviderReply:
    """Return an answer in JSON; `retry_after="7"` becomes the header `Retry-After`."""
    named = {name.replace("_", "-").title(): text for name, text in headers.items()}
    return ProviderReply(
        status=status,
        body=msgspec.json.encode(content),
        headers={"Content-Type": "application/json"} | named,
    )


def path_of(request: Request) -> str:
    """Return the path of a request's URL."""
    return urlsplit(request.url).path


def read_json(request: Request) -> dict[str, object]:
    """Return the JSON object in a request."""
    return msgspec.json.decode(request.body, type=dict[str, object])
