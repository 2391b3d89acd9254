"""What CometChat and an operator ask of a router that runs."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from router.samples import read_sample, restamp
from tests.acceptance.router_process import COMETCHAT, OPERATOR, PATIENCE, RouterProcess


def call(
    url: str, body: object = None, headers: Mapping[str, str] = OPERATOR
) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON that a request is answered with; a body makes it a POST."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers))  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def payload(text: str, *, uid: str, number: int = 0, ahead: float = 0.0) -> dict[str, Any]:
    """Return a custom-provider payload of a chat message, sent now.

    Its sender's clock is so many seconds `ahead`.
    """
    return {
        "trigger": "push-notification-payload-generated",
        "webhook": "custom",
        "appId": "app",
        "region": "eu",
        "data": {
            "to": {"uid": uid},
            "notificationDetails": {
                "title": "Ann",
                "body": text,
                "sender": "ann",
                "receiver": uid,
                "receiverType": "user",
                "type": "chat",
                "tag": f"{number}",
                "conversationId": f"ann_user_{uid}",
                "sentAt": str(round((time.time() + ahead) * 1000)),
            },
        },
    }


def chat(text: str, *, ahead: float = 0.0) -> bytes:
    """Return such a payload to one and the same recipient as it is posted."""
    return json.dumps(payload(text, uid="ben", ahead=ahead)).encode()


def post(router: RouterProcess, body: bytes) -> int:
    """Return the status that a payload is answered with."""
    return call(f"{router.url}/webhook", body, COMETCHAT)[0]


async def post_sample(url: str, name: str = "push_chat_one_on_one") -> None:
    """Let a router accept a sample that is sent now."""
    async with (
        aiohttp.ClientSession(headers=COMETCHAT) as session,
        session.post(
            f"{url}/webhook", json=restamp(read_sample(name), now=time.time(), story="acceptance")
        ) as answer,
    ):
        assert answer.status == 200, await answer.text()


def read_metrics(router: RouterProcess) -> dict[str, float]:
    """Return every sample by its name and labels, as it is written."""
    with urllib.request.urlopen(f"{router.url}/metrics", timeout=5) as answer:  # noqa: S310 - loopback
        text = answer.read().decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def wait_for(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds."""
    deadline = time.monotonic() + 2 * PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
