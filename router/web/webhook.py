"""`POST /webhook`: the way in for CometChat's custom providers.

It is an ASGI application of its own, asked before the framework is: that serves one and a half
times the requests of a handler inside it.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar.types import HTTPScope, Receive, Send
from msgspec import Meta, Struct

from router.core.payload import FEEDS
from router.queue.ports import Receipt
from router.web.auth import Headers, Proof
from router.web.problems import Refused, refusal

PATH = "/webhook"
MOST = 1024 * 1024
"""The most bytes a body may have."""


class PayloadBody(Struct, frozen=True, kw_only=True, rename="camel"):
    """A body as CometChat's custom providers send it; fields not named here pass."""

    trigger: Literal[tuple(FEEDS)]  # type: ignore[valid-type]  # the keys of a constant
    webhook: Literal["custom"]
    data: Annotated[
        dict[str, Any],
        Meta(description="`to.uid`, and `notificationDetails` (push) or `messages`."),
    ]
    app_id: str = ""
    region: str = ""


class Accepted(Struct, frozen=True, kw_only=True):
    """What a payload is answered once it is on disk; of a duplicate, `id` is the first one's."""

    message: Literal["accepted", "duplicate"]
    id: str


class Intake(Protocol):
    """What makes a payload durable."""

    async def accept(self, body: bytes) -> Receipt:
        """Return the receipt of a payload that is on disk.

        Raises `PayloadError` and `JournalUnavailable`.
        """


class Webhook:
    """The application behind `/webhook`."""

    def __init__(self, intake: Intake, check: Callable[[Headers], Proof | None]) -> None:
        """Hand bodies to the intake whose headers pass the check, and what it leaves to prove."""
        self._intake = intake
        self._check = check

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Accept a payload of a custom provider: the answer comes when it is on disk.

        Every trigger comes here: push, e-mail and SMS. A repeat is answered with the id of the
        first; after a 503 the payload is to be sent again.
        """
        try:
            receipt = await self._accept(scope, receive)
        except Exception as error:  # noqa: BLE001 - every error has its answer
            refused = refusal(error)
            await _answer(send, refused.status_code, refused.body, refused.headers or {})
        else:
            if receipt is not None:
                accepted = Accepted(
                    message="duplicate" if receipt.duplicate else "accepted", id=receipt.id
                )
                await _answer(send, HTTPStatus.OK.value, accepted, {})

    async def _accept(self, scope: HTTPScope, receive: Receive) -> Receipt | None:
        """Ask who, how much and what, and only then go to the disk; None when nobody waits."""
        if scope["method"] != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "use POST", headers={"Allow": "POST"})
        prove = self._check(scope["headers"])
        body = await _read(scope["headers"], receive)
        if body is None:
            return None
        if prove is not None:
            prove(body)
        return await self._intake.accept(body)


async def _read(headers: Headers, receive: Receive) -> bytes | None:
    """Return the body; None when the client left. Raises `Refused` when it is too large."""
    for name, text in headers:
        if name == b"content-length" and int(text) > MOST:
            raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        chunks.append(event.get("body", b""))
        size += len(chunks[-1])
        if size > MOST:
            raise _too_large()
        if not event.get("more_body", False):
            return b"".join(chunks)


def _too_large() -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body may hold 1 MiB")


async def _answer(send: Send, status: int, body: Struct, headers: dict[str, str]) -> None:
    content = msgspec.json.encode(body)
    lines = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), text.encode()) for name, text in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": content, "more_body": False})
