"""Payloads as CometChat sends them, no two alike, as the bytes of whole requests."""

import time
from base64 import b64encode
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec

from router.samples import read_sample

USER, PASSWORD = "cometchat", "a-password-for-benchmarks"
RECIPIENTS = 1000

_PLACES = {b"@uid@": b"u%(uid)06d", b"@number@": b"%(number)010d", b"@time@": b"%(time)013d"}
"""What stands in the template, and what it is filled with: always of the same width."""

_numbers = count(1)


def write_request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def webhooks(sample: str = "push_chat_one_on_one") -> Iterator[bytes]:
    """Yield requests to the webhook without end, for a thousand recipients in turn.

    Each has a `tag` and a `sentAt` of its own: none repeats another, of this run or a former.
    """
    template = _template(sample, receiver="@uid@", conversationId="cometchat-uid-1_user_@uid@")
    for number in _numbers:
        yield template % {
            b"uid": number % RECIPIENTS,
            b"number": number,
            b"time": time.time_ns() // 1_000_000,
        }


def to_group(members: int) -> Iterator[bytes]:
    """Yield requests for one message to a group after the other: one for each member.

    Members are those of `webhooks`; a text ends with the number of the message.
    """
    template = _template(
        "push_chat_one_on_one",
        title="Andrew Joseph @ Hiking Group",
        receiver="hiking",
        receiverName="Hiking Group",
        receiverType="group",
        conversationId="group_hiking",
    )
    while True:
        number = next(_numbers)
        at = time.time_ns() // 1_000_000
        for member in range(members):
            yield template % {b"uid": member, b"number": number, b"time": at}


def _template(sample: str, **details: str) -> bytes:
    payload: dict[str, Any] = read_sample(sample)
    payload["data"]["to"]["uid"] = "@uid@"
    payload["data"]["notificationDetails"] |= {
        "tag": "@number@",
        "body": "Message @number@",
        "sentAt": "@time@",
        **details,
    }
    body = msgspec.json.encode(payload).replace(b"%", b"%%")
    for place, filling in _PLACES.items():
        body = body.replace(place, filling)
    filled = body % {b"uid": 0, b"number": 0, b"time": 0}
    credentials = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = write_request("POST", "/webhook", {"Authorization": f"Basic {credentials}"}, filled)
    return request.removesuffix(filled).replace(b"%", b"%%") + body
