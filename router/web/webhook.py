"""`POST /webhook` and `/webhook/events`: the ways in for CometChat.

They are an ASGI application of their own, asked before the framework is: that serves one and a
half times the requests of a handler inside it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar.types import HTTPScope, Receive, Send
from msgspec import Meta, Struct

from router.core.errors import PayloadError
from router.core.model.feed import TRIGGERS
from router.queue.ports import JournalUnavailable, Receipt
from router.web.auth import Headers, Proof
from router.web.body_budget import BodyBudget, BudgetExhausted
from router.web.fair_scheduling import FairnessBudget
from router.web.problems import HTTPError, refusal
from router.web.refusal_log import RefusalLog, name_peer

WEBHOOK_PATH = "/webhook"
"""Where custom providers post to."""
EVENTS_PATH = "/webhook/events"
"""Where general webhooks post to."""
MAX_BODY_BYTES = 1024 * 1024
"""The most bytes a body may have."""

MAX_UNWANTED_BYTES = 16 * MAX_BODY_BYTES
"""The most bytes of a body that are read after it was refused."""

MAX_TOTAL_BODY_BYTES = 64 * MAX_BODY_BYTES
"""The most bytes that bodies may have together, from the first byte read to the answer."""

Reason = Literal[
    "invalid",
    "unauthorized",
    "forbidden",
    "method",
    "too_large",
    "packed",
    "incomplete",
    "unavailable",
    "fault",
]
"""Why a request was not answered 200; one that never came whole is `incomplete`."""


class PayloadBody(Struct, frozen=True, kw_only=True, rename="camel"):
    """A body as CometChat's custom providers send it; fields not named here pass."""

    trigger: Literal[tuple(TRIGGERS)]  # type: ignore[valid-type]  # the keys of a constant
    webhook: Literal["custom"]
    data: Annotated[
        dict[str, Any],
        Meta(description="`to.uid`, and `notificationDetails` (push) or `messages`."),
    ]
    app_id: str = ""
    region: str = ""


class AcceptResponse(Struct, frozen=True, kw_only=True):
    """What a payload is answered once it is on disk; of a duplicate, `id` is the first one's."""

    message: Literal["accepted", "duplicate"]
    id: str


class EventBody(Struct, frozen=True, kw_only=True, rename="camel"):
    """A body as CometChat's general webhooks send it; fields not named here pass."""

    trigger: Annotated[str, Meta(description="`message_read_receipt`; others are ignored.")]
    data: Annotated[
        dict[str, Any],
        Meta(description="Of a read receipt `messageId` and `user.uid`, or both in `body`."),
    ]
    app_id: str = ""
    region: str = ""


class EventResponse(Struct, frozen=True, kw_only=True):
    """What an event is answered: `ignored` is one that the router has no use for."""

    message: Literal["accepted", "ignored"]


class PayloadIntake(Protocol):
    """What makes a payload durable."""

    async def accept(self, body: bytes) -> Receipt:
        """Return the receipt of a payload that is on disk.

        Raises `PayloadError` and `JournalUnavailable`.
        """

    async def record_read_receipt(self, body: bytes) -> bool:
        """Return whether an event was of use, which then is on disk; raises as `accept` does."""


Take = Callable[[bytes], Awaitable[Struct]]
"""Makes a body durable, and gives the answer to it."""


class WebhookApp:
    """The application behind `/webhook` and what is below it."""

    def __init__(
        self,
        intake: PayloadIntake,
        check: Callable[[Headers], Proof | None],
        refused: Callable[[Reason], None],
    ) -> None:
        """Hand bodies to the intake whose headers pass the check, and what it leaves to prove.

        `refused` hears why each of the others was not answered 200.
        """
        self._intake = intake
        self._check = check
        self._refused = refused
        self._budget = BodyBudget(MAX_TOTAL_BODY_BYTES)
        self._turn = FairnessBudget()
        self._refusal_log = RefusalLog()

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Take a payload or an event, by the path: the answer comes when it is on disk."""
        take = self.record_read_receipt if scope["path"].rstrip("/") == EVENTS_PATH else self.accept
        stream = BodyStream(receive)
        try:
            answer = await self._receive(scope, stream, take)
        except Exception as error:  # noqa: BLE001 - every error has its answer
            refused = refusal(error)
            reason = _REASONS.get(refused.status_code, "fault")
            self._refused(reason)
            detail = _detail(error, refused)
            peer = name_peer(scope.get("client"))
            self._refusal_log.note(scope["path"], peer, refused.status_code, reason, detail)
            if _closes_connection(scope):
                await stream.drain()
            await _answer(send, refused.status_code, refused.body, refused.headers or {})
        else:
            if answer is None:
                self._refused("incomplete")
            else:
                await _answer(send, HTTPStatus.OK.value, answer, {})

    async def accept(self, body: bytes) -> AcceptResponse:
        """Accept a payload of a custom provider; it is on disk before the answer.

        Every trigger comes here: push, e-mail and SMS. A repeat is answered with the id of the
        first; after a 503 the payload is to be sent again.
        """
        receipt = await self._intake.accept(body)
        return AcceptResponse(
            message="duplicate" if receipt.duplicate else "accepted", id=receipt.id
        )

    async def record_read_receipt(self, body: bytes) -> EventResponse:
        """Accept an event of the general webhooks; a read receipt is on disk before the answer.

        A read receipt cancels what waits for nobody to read the message. Other triggers are
        answered `ignored`; after a 503 the event is to be sent again.
        """
        is_heard = await self._intake.record_read_receipt(body)
        return EventResponse(message="accepted" if is_heard else "ignored")

    async def _receive(self, scope: HTTPScope, stream: "BodyStream", take: Take) -> Struct | None:
        """Ask who, how much and what, and only then go to the disk; None when nobody waits."""
        if scope["method"] != "POST":
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, "use POST", headers={"Allow": "POST"})
        prove = self._check(scope["headers"])
        _check_size(scope["headers"])
        with self._budget.share(is_proven=prove is None) as share:
            try:
                while not stream.is_over:
                    chunk = await share.wait_for(stream.read())
                    if chunk is None:
                        return None
                    share.add(chunk)
                    if share.size > MAX_BODY_BYTES:
                        raise _too_large()
            except BudgetExhausted:
                raise JournalUnavailable(_BODY_BUDGET_FULL) from None
            body = share.join()
            if prove is not None:
                prove(body)
            while self._turn.is_over():  # noqa: ASYNC110 - the end of a turn is no event to wait for
                await asyncio.sleep(0)
            return await take(body)


class BodyStream:
    """A body as it comes in."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_over = False

    async def read(self) -> bytes | None:
        """Return what came next, None when nobody waits any more."""
        event = await self._receive()
        if event["type"] != "http.request":
            self.is_over = True
            return None
        self.is_over = not event.get("more_body", False)
        return event.get("body", b"")

    async def drain(self) -> None:
        """Read what still comes, up to a bound, and forget it."""
        left = MAX_UNWANTED_BYTES
        while left > 0 and not self.is_over:
            left -= len(await self.read() or b"")


def _closes_connection(scope: HTTPScope) -> bool:
    """Return whether the connection closes after the answer.

    Closed while the client still sends, it would be reset, and the answer lost on its way; one
    that asks before it sends (`Expect`) must not be told to go on.
    """
    headers = dict(scope["headers"])
    is_last = scope["http_version"] == "1.0" or headers.get(b"connection", b"").lower() == b"close"
    return is_last and b"expect" not in headers


_REASONS: dict[int, Reason] = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.METHOD_NOT_ALLOWED: "method",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "packed",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


def _check_size(headers: Headers) -> None:
    """Raise `Refused` for a body that is too large or packed, as its headers tell."""
    for name, text in headers:
        if name == b"content-length" and int(text) > MAX_BODY_BYTES:
            raise _too_large()
        if name == b"content-encoding" and text.lower() != b"identity":
            raise HTTPError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "send the body as it is, without Content-Encoding",
                headers={"Accept-Encoding": "identity"},
            )


def _detail(error: Exception, refused: HTTPError) -> str:
    """Return what the log says of a refusal: nothing of the body, which may hold anything."""
    if isinstance(error, PayloadError):
        return f"{error.path} is not as CometChat sends it"
    return str(error) if isinstance(error, JournalUnavailable) else refused.body.detail


def _too_large() -> HTTPError:
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than 1 MiB")


_BODY_BUDGET_FULL = "too many request bodies at a time: more than 64 MiB"


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
