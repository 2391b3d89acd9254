"""One request over HTTP/2 and its answer."""

import asyncio

from router.channel import Request, Response, TransportError
from router.transport.http2_frames import Http2ErrorCode, Http2StreamError


class RequestProgress:
    """One request on its way; `sent` says whether it may have reached the provider."""

    sent = False


MAX_BODY_BYTES = 1 << 20
"""Bytes of an answer's body that are read; the rest is dropped."""


class UnprocessedError(TransportError):
    """The server has done nothing with the request, so that it may be sent again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, sent=False)


class Http2Stream:
    """A request and its answer; `stream_id` is 0 until the request has started."""

    __slots__ = (
        "answer",
        "consumed",
        "headers",
        "pieces",
        "progress",
        "request",
        "started_at",
        "status",
        "stream_id",
        "unsent",
        "window",
    )

    def __init__(self, request: Request, progress: RequestProgress) -> None:
        self.request = request
        self.progress = progress
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.stream_id = 0
        self.started_at = 0.0
        self.unsent = memoryview(request.body)
        self.window = 0
        """Bytes of the body that the server accepts; negative after a smaller setting (6.9.2)."""
        self.consumed = 0
        """Bytes of the answer read since the last WINDOW_UPDATE."""
        self.status = 0
        """The status of the answer, 0 before its header fields arrive."""
        self.headers: dict[str, str] = {}
        self.pieces = bytearray()

    def finish(self) -> None:
        """Set the answer; raises `Http2StreamError` where its body has the wrong length."""
        length = self.headers.get("content-length")
        if not self.status or (
            length is not None
            and len(self.pieces) < MAX_BODY_BYTES
            and self.pieces
            and length != str(len(self.pieces))
        ):
            raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
        if not self.answer.done():
            body = bytes(self.pieces[:MAX_BODY_BYTES])
            self.answer.set_result(Response(status=self.status, headers=self.headers, body=body))

    def fail(self, error: TransportError) -> None:
        """Set the error that ends the wait for an answer; an answer that is set stays."""
        if not self.answer.done():
            self.answer.set_exception(error)
